"""Draws the figures of measurements from their CSV files: a row for each thing measured, a dot for each of its values.

    python -m benchmarks.plots

writes results/NAME.png for each name of `PLOTS`, and of `CURVES`, which are no dots. Each device has a panel or a curve
of its own. What trains networks draws its figures itself.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from matplotlib.figure import Figure

from benchmarks.performance_tables import pair_rows
from benchmarks.timing import RESULTS, by_device, read


class Plot(NamedTuple):
    """What a plot shows of a CSV file.

    Attributes:
        dots: Function from the rows of a device to `(thing measured, colour, value)` of each dot.
        label: What the values are, with their unit.
        is_ratio: Whether values are ratios, equal at 1 and twice as far from it at 4 as at 2.
    """

    dots: Callable[[list[dict]], Iterable[tuple]]
    label: str
    is_ratio: bool = False


def of_peers(rows):
    """Time of other implementations over ours."""
    for row in rows:
        if row["implementation"] != "lambda_keras":
            problem = f"{row['grid']}, batch {row['batch']}, scope {row['scope_size']}, {row['mode']}"
            yield problem, row["implementation"], row["ratio_to_ours"]


def of_pairs(rows):
    """Time of an EfficientNet over that of a LambdaResNet."""
    for row in pair_rows(rows):
        yield f"{row['model']} and {row['other']}, {row['mode']}", row["policy"], row["ratio"]


def of_variants(rows):
    """Both times of each network, in relation to those of one of them."""
    for row in rows:
        for mode in ("inference", "training"):
            yield row["network"], mode, row[f"{mode}_ratio"]


def of_interactions(rows):
    """Memory and throughput with each layer, in relation to those with lambda layers."""
    (ours,) = (row for row in rows if row["layer"] == "lambda")
    for row in rows:
        for column, label in (
            ("formula_gibibytes_of_128", "memory of the maps, by formula"),
            ("peak_megabytes", "peak of a training step, measured"),
        ):
            # A lambda convolution has no maps.
            if row[column]:
                yield row["layer"], label, float(row[column]) / float(ours[column])
        yield row["layer"], "images a second, measured", row["throughput_ratio_to_lambda"]


def of_roofline(rows):
    """The share of the peak, and of each kind of operation, in per cent."""
    for row in rows:
        for name, value in row.items():
            if name.startswith("share"):
                yield name.replace("_", " "), f"{row['network']}, {row['mode']}", 100 * float(value)


def each(dot):
    """A function from rows to dots, of one from a row to its only dot."""
    return lambda rows: map(dot, rows)


PLOTS = {
    "peers": Plot(of_peers, "time of the implementation ÷ that of lambda_keras", is_ratio=True),
    "peers_memory": Plot(of_peers, "memory of the implementation ÷ that of lambda_keras", is_ratio=True),
    "pairs": Plot(
        of_pairs,
        "EfficientNet's time ÷ LambdaResNet's",
        is_ratio=True,
    ),
    "hybrids": Plot(of_variants, "time ÷ time of CCCC", is_ratio=True),
    "scopes": Plot(of_variants, "time ÷ time of scope 23", is_ratio=True),
    "interactions": Plot(of_interactions, "in relation to lambda layers", is_ratio=True),
    "fuse": Plot(
        each(lambda row: (f"{row['model']} at {row['image_size']}", f"batch {row['batch']}", row["ratio"])),
        "time of the fused network ÷ that of the original",
    ),
    "export": Plot(
        each(lambda row: (row["artifact"], row["model"], 1e3 * float(row["seconds"]))), "milliseconds for one image"
    ),
    "training_loop": Plot(
        each(lambda row: (f"{row['model']} at {row['image_size']}", "measured", row["ratio"])),
        "images a second of the trainer ÷ those of a bare step",
    ),
    "startup": Plot(each(lambda row: (row["what"], "measured", row["seconds"])), "seconds"),
    "roofline": Plot(of_roofline, "% of the peak, and of the time of a step"),
    "detector_memory": Plot(
        each(lambda row: (row["work"], f"{row['image_size']} pixels", row["peak_gigabytes"])), "peak of a process, GB"
    ),
}


def device_of(rows):
    """What rows of one device were measured on, as a title."""
    form = ", short form" if rows[0].get("form") == "short" else ""
    return f"{rows[0]['device']}{form}"


def draw(name, devices):
    """Draws a plot of dots, a panel for each device.

    Args:
        name: A key of `PLOTS`.
        devices: The rows of each device.

    Returns:
        A matplotlib `Figure`.
    """
    return figure_of(PLOTS[name], devices)


def figure_of(plot, devices):
    """Draws rows of a CSV file as a `Plot` says, a panel for each device."""
    dots = [[(thing, colour, float(value)) for thing, colour, value in plot.dots(rows)] for rows in devices]
    things = [list(dict.fromkeys(thing for thing, _, _ in panel)) for panel in dots]
    colours = list(dict.fromkeys(colour for panel in dots for _, colour, _ in panel))
    heights = [1.3 + 0.24 * len(of_panel) for of_panel in things]
    figure = Figure(figsize=(8, sum(heights)), layout="constrained")
    panels = figure.subplots(len(devices), squeeze=False, height_ratios=heights).flat
    for axes, rows, panel, names in zip(panels, devices, dots, things, strict=True):
        # Every colour, for the panels to have the same ones, though this one may have no dots of it.
        for colour in colours:
            of_colour = [(value, names.index(thing)) for thing, of, value in panel if of == colour]
            values, positions = zip(*of_colour, strict=True) if of_colour else ((), ())
            axes.plot(values, positions, "o", markersize=5, label=colour, clip_on=False)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.grid(alpha=0.3)
        axes.set_xlabel(plot.label)
        if plot.is_ratio:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.axvline(1, color="black", linewidth=1)
        else:
            axes.set_xlim(left=0)
        if len(devices) > 1:
            axes.set_title(device_of(rows), fontsize=8)
    if len(colours) > 1:
        legend = figure.axes[0].get_legend_handles_labels()
        figure.legend(*legend, loc="outside upper center", ncols=min(len(colours), 5), fontsize=8)
    return figure


def draw_growth(devices):
    """Time and memory over the number of positions, both logarithmic, two panels for each device."""
    figure = Figure(figsize=(9, 4 * len(devices)), layout="constrained")
    for pair, rows in zip(figure.subplots(len(devices), 2, squeeze=False), devices, strict=True):
        for axes, column, label in zip(pair, ("seconds", "megabytes"), ("seconds", "MB"), strict=True):
            for layer in dict.fromkeys(row["layer"] for row in rows):
                points = [(int(row["side"]) ** 2, float(row[column])) for row in rows if row["layer"] == layer]
                axes.loglog(*zip(*points, strict=True), marker="o", label=layer)
            axes.set_xlabel("positions n")
            axes.set_ylabel(label)
        pair[0].legend()
        if len(devices) > 1:
            pair[0].set_title(device_of(rows), fontsize=8, loc="left")
    return figure


def draw_regrets(devices):
    """The plan's regrets in order, a curve for each device."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for rows in devices:
        regrets = [float(row["ratio_to_best"]) for row in rows if row["chosen"] == "1"]
        axes.plot(sorted(regrets), drawstyle="steps-post", label=device_of(rows))
    axes.set_xlabel("drawn shapes, from the best to the worst planned")
    axes.set_ylabel("time of the plan ÷ time of the best candidate")
    axes.axhline(1, color="black", linewidth=0.8)
    axes.legend(fontsize=8)
    return figure


CURVES = {"growth": draw_growth, "contraction": draw_regrets}


def main():
    """Writes all plots."""
    for name in (*PLOTS, *CURVES):
        devices = by_device(read(RESULTS / f"{name}.csv"))
        figure = CURVES[name](devices) if name in CURVES else draw(name, devices)
        figure.savefig(RESULTS / f"{name}.png", dpi=90)
        print(f"Wrote {name}.png")


if __name__ == "__main__":
    main()
