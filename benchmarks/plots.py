"""Draws the figures of measurements from their CSV files: a row for each thing measured, a dot for each of its values.

    python -m benchmarks.plots

writes results/NAME.png for each name of `PLOTS`. Others draw more than dots, in scripts of their own.
"""

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure

from benchmarks.markdown import read
from benchmarks.timing import RESULTS


class Plot(NamedTuple):
    """What a plot shows of a CSV file.

    Attributes:
        dots: Function from a row of the file to `(thing measured, colour, value)` of each of its dots.
        label: What the values are, with their unit.
        is_ratio: Whether values are ratios, equal at 1 and twice as far from it at 4 as at 2.
    """

    dots: Callable[[dict], list]
    label: str
    is_ratio: bool = False


def of_peer(row):
    """Time of another implementation over ours."""
    if row["implementation"] == "lambda_keras":
        return []
    problem = f"{row['grid']}, batch {row['batch']}, scope {row['scope_size']}, {row['mode']}"
    return [(problem, row["implementation"], row["ratio_to_ours"])]


def of_variant(row):
    """Both times of a network, in relation to those of another one."""
    return [(row["network"], mode, row[f"{mode}_ratio"]) for mode in ("inference", "training")]


def of_roofline(row):
    """The share of the peak, and of each kind of operation, in per cent."""
    shares = [(name.replace("_", " "), value) for name, value in row.items() if name.startswith("share")]
    return [(name, row["network"], 100 * float(value)) for name, value in shares]


PLOTS = {
    "peers": Plot(of_peer, "time of the implementation ÷ that of lambda_keras", is_ratio=True),
    "pairs": Plot(
        lambda row: [(f"{row['model']} and {row['other']}, {row['mode']}", row["policy"], row["ratio"])],
        "EfficientNet's time ÷ LambdaResNet's",
        is_ratio=True,
    ),
    "hybrids": Plot(of_variant, "time ÷ time of CCCC", is_ratio=True),
    "scopes": Plot(of_variant, "time ÷ time of scope 23", is_ratio=True),
    "interactions": Plot(
        lambda row: [(row["layer"], "measured", row["throughput_ratio_to_lambda"])],
        "images a second ÷ those with lambda layers",
        is_ratio=True,
    ),
    "fuse": Plot(
        lambda row: [(f"{row['model']} at {row['image_size']}", f"batch {row['batch']}", row["ratio"])],
        "time of the fused network ÷ that of the original",
    ),
    "export": Plot(
        lambda row: [(row["artifact"], row["model"], 1e3 * float(row["seconds"]))], "milliseconds for one image"
    ),
    "startup": Plot(lambda row: [(row["what"], "measured", row["seconds"])], "seconds"),
    "roofline": Plot(of_roofline, "% of the peak, and of the time of a training step"),
    "detector_memory": Plot(
        lambda row: [(row["work"], f"{row['image_size']} pixels", row["peak_gigabytes"])], "peak of a process, GB"
    ),
}


def draw(name):
    """Draws a plot.

    Args:
        name: A key of `PLOTS`.

    Returns:
        A matplotlib `Figure`.
    """
    plot, rows = PLOTS[name], read(RESULTS / f"{name}.csv")
    dots = [(thing, colour, float(value)) for row in rows for thing, colour, value in plot.dots(row)]
    things, colours = (list(dict.fromkeys(column)) for column in list(zip(*dots, strict=True))[:2])
    figure = Figure(figsize=(8, 1.3 + 0.24 * len(things)), layout="constrained")
    axes = figure.subplots()
    for colour in colours:
        found = [(value, things.index(thing)) for thing, of, value in dots if of == colour]
        axes.plot(*zip(*found, strict=True), "o", markersize=5, label=colour)
    axes.set_yticks(range(len(things)), things)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    axes.set_xlabel(plot.label)
    if plot.is_ratio:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.axvline(1, color="black", linewidth=1)
    else:
        axes.set_xlim(left=0)
    if len(colours) > 1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=len(colours), fontsize=8)
    return figure


def main():
    """Writes all plots."""
    for name in PLOTS:
        draw(name).savefig(RESULTS / f"{name}.png", dpi=90)
        print(f"Wrote {name}.png")


if __name__ == "__main__":
    main()
