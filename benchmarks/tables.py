"""Writes the tables of README and docs from the CSV files that measurements and the zoo keep.

    python -m benchmarks.tables

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what stood there is replaced.
"""

import os
import pathlib
import re
from collections.abc import Callable
from typing import NamedTuple

from benchmarks import performance_tables
from benchmarks.markdown import counts, markdown, mean_and_deviation, plain_table
from benchmarks.timing import RESULTS, by_device, read
from lambda_keras.weights import catalog

ROOT = pathlib.Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# The models of README's table; the zoo's page has all.
CHOSEN = (
    "lambda_resnet50",
    "lambda_resnet152",
    "lambda_resnet420",
    "resnet50_llll",
    "lambda_resnet50ts",
    "lambda_resnet_tiny",
)


def models_table(rows, models=None):
    """A row for each model; the paper's accuracy at the same image size and that of weights have columns of their own.

    Args:
        rows: What was counted.
        models: Names of the models; by default all.
    """
    paper = {(row["model"], row["image_size"]): row["paper_top1"] for row in read(ROOT / "zoo" / "results.csv")}
    titles = ["model", "image size", "parameters (M)", "multiply-adds (G)", "top-1 in the paper (%)", "weights"]
    lines = []
    for row in rows:
        if models is None or row["model"] in models:
            parameters, multiply_adds = counts(row)
            top1 = paper.get((row["model"], row["image_size"])) or "–"
            size = [f"`{row['model']}`", row["image_size"], f"{parameters:.2f}", f"{multiply_adds:.3g}"]
            lines.append([*size, top1, *_weights(row["model"])])
    return markdown([*titles, "top-1 of the weights, as published (%)"], "lllllll", lines)


def _weights(model):
    """Two cells: the tags of a model's weights and their published accuracy on ImageNet, or that there are none."""
    records = [catalog.find(model, tag) for tag in catalog.tags(model)]
    if not records:
        return "architecture only", "–"
    tags = ", ".join(f"`{record.tag}`" for record in records)
    # Our own measurements, on other datasets, have a table of their own.
    metrics = [metric for record in records if record.dataset == "imagenet" for metric in record.metrics]
    return tags, ", ".join(str(metric.value) for metric in metrics) or "–"


def input_streams_table(rows):
    """A row for each number of workers: what one of them opens and reads."""
    lines = [
        [
            row["workers"],
            f"{row['files_opened_by_a_worker']} of {row['files']}",
            row["images_per_second_of_a_worker"],
        ]
        for row in rows
    ]
    return markdown(["workers", "files opened by a worker", "images/s that it prepares"], "rrr", lines)


def semi_supervised_table(rows):
    """A row for each training, a column for each network: mean and standard deviation over the seeds."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    lines = []
    for training in dict.fromkeys(row["training"] for row in rows):
        cells = [training]
        for network in networks:
            found = [row for row in rows if (row["training"], row["network"]) == (training, network)]
            values = [float(row["test_accuracy_percent"]) for row in found]
            cells.append(f"{mean_and_deviation(values)} ({len(values)})" if values else "–")
        lines.append(cells)
    return markdown(["training", *(f"{network} (%)" for network in networks)], "l" + "r" * len(networks), lines)


def pseudo_labels_table(rows):
    """A row for each fleet and way to share the work."""
    figures = {
        "hours": "hours",
        "hours_without_failures": "without failures and slow machines",
        "core_hours": "core-hours",
        "failures": "failures",
        "cost": "US dollars",
    }
    lines = [[f"{int(row['workers']):,}", row["way"], *(row[name] for name in figures)] for row in rows]
    return markdown(["machines of one core", "work is shared as", *figures.values()], "rlrrrrr", lines)


def detector_memory_table(rows):
    """A row for each kind of work: the peaks of both sizes, and by how much more the larger image takes."""
    peaks = [f"peak at {size} pixels (GB)" for size in dict.fromkeys(row["image_size"] for row in rows)]
    lines = []
    for work in dict.fromkeys(row["work"] for row in rows):
        of_work = [row for row in rows if row["work"] == work]
        lines.append([work, *(row["peak_gigabytes"] for row in of_work), of_work[-1]["growth_ratio"]])
    return markdown(["one image", *peaks, "growth, as a ratio"], "l" + "r" * (len(peaks) + 1), lines)


def detectors_table(rows):
    """A row for each recipe of the paper's detectors, with the paper's figures."""
    sizes = ("small", "medium", "large")
    figures = [f"{kind}_ap{size}" for kind in ("box", "mask") for size in ("", *(f"_{size}" for size in sizes))]
    lines = [[f"`{row['recipe']}`", *(row[figure] for figure in figures), "not run"] for row in rows]
    titles = ["recipe", "paper: AP box", *sizes, "paper: AP mask", *sizes, "here"]
    return markdown(titles, "l" + "r" * len(figures) + "l", lines)


def stamps_table(rows):
    """A row for each detector of the stamps: COCO's figures, the mean over its trainings and their deviation."""
    sizes = ("small", "medium", "large")
    names = ("ap", "ap50", *(f"ap_{size}" for size in sizes))
    figures = [f"{kind}_{name}" for kind in ("boxes", "masks") for name in names]
    lines = []
    for detector in dict.fromkeys(row["detector"] for row in rows):
        of_detector = [row for row in rows if row["detector"] == detector]
        cells = [mean_and_deviation([100 * float(row[figure]) for row in of_detector]) for figure in figures]
        trainings = len(of_detector) if of_detector[0]["seconds"] else "–"
        lines.append([detector, trainings, *cells])
    titles = ["detector", "trainings", "AP box", "AP50", *sizes, "AP mask", "AP50", *sizes]
    return markdown(titles, "lr" + "r" * len(figures), lines)


def origin(rows):
    """Where and when the rows of one device were measured: a line below its table."""
    found = [" and ".join(dict.fromkeys(row[column] for row in rows)) for column in ("device", "versions", "date")]
    if rows[0].get("form") == "short":
        found.append("short form")
    return f"\nMeasured on: {'; '.join(found)}.\n"


def serving_load_table(rows):
    """A row for each minute of the clients of a server."""
    titles = ["after", "answered", "lost or wrong", "requests/s", "p50", "p90", "p99", "memory of the server"]
    lines = []
    for row in rows:
        counts = [row["answered"], int(row["lost"]) + int(row["wrong"]), row["requests_per_second"]]
        times = [f"{row[name]} ms" for name in ("p50_ms", "p90_ms", "p99_ms")]
        lines.append([f"{float(row['seconds']):g} s", *counts, *times, f"{float(row['server_mb']):.0f} MB"])
    return markdown(titles, "rrrrrrrr", lines)


def any_size_table(rows):
    """A row for each size of pictures that a file makes ready itself."""
    lines = [[f"{row['width']} × {row['height']}", f"{float(row['ms']):.0f} ms", f"{row['mb']} MB"] for row in rows]
    return markdown(["picture", "time", "memory"], "lrr", lines)


def fine_tuning_defaults_table(rows):
    """A row for each start and settings: the balanced accuracy of each fold, and the mean."""
    found = {}
    for row in rows:
        found.setdefault((row["start"], row["settings"]), []).append(float(row["balanced_accuracy_percent"]))
    lines = [
        [*names, *(f"{value:.1f}" for value in values), mean_and_deviation(values)]
        for names, values in sorted(found.items(), key=lambda item: item[0][0] != "random")
    ]
    folds = ["fold 0", *range(1, max(map(len, found.values())))]
    return markdown(["weights", "settings", *folds, "mean"], "ll" + "r" * (len(folds) + 1), lines)


def delegates_table(rows):
    """A row for each kind of TFLite file: what delegates leave to the CPU."""
    left = {"gpu_readme": "GPU, README", "gpu_source": "GPU, source", "nnapi": "NNAPI", "core_ml": "Core ML"}
    lines = [
        [
            f"`{row['model']}`",
            f"`{row['kind']}`, `{row['options']}`",
            row["operations"],
            *(row[delegate] for delegate in left),
        ]
        for row in rows
    ]
    return markdown(["model", "kind", "operations", *left.values()], "llrllll", lines)


class Table(NamedTuple):
    """A table of a page.

    Attributes:
        make: Function from rows to the table's text.
        file: The CSV file that has the rows.
        is_measured: Whether another machine would not repeat the figures. Then each device has a table, and its name
            stands below.
    """

    make: Callable[[list[dict]], str]
    file: pathlib.Path
    is_measured: bool = True


TABLES = {
    "models": Table(models_table, RESULTS / "models.csv", is_measured=False),
    "chosen models": Table(lambda rows: models_table(rows, CHOSEN), RESULTS / "models.csv", is_measured=False),
    "peers": Table(performance_tables.peers_table, RESULTS / "peers.csv"),
    "peers memory": Table(performance_tables.peers_table, RESULTS / "peers_memory.csv"),
    "export": Table(performance_tables.export_table, RESULTS / "export.csv"),
    "pairs": Table(performance_tables.pairs_table, RESULTS / "pairs.csv"),
    "growth": Table(performance_tables.growth_table, RESULTS / "growth.csv"),
    "interactions": Table(performance_tables.interactions_table, RESULTS / "interactions.csv"),
    "hybrids": Table(lambda rows: performance_tables.variants_table(rows, "stages"), RESULTS / "hybrids.csv"),
    "scopes": Table(lambda rows: performance_tables.variants_table(rows, "scope"), RESULTS / "scopes.csv"),
    "startup": Table(lambda rows: plain_table(rows, "what", "seconds"), RESULTS / "startup.csv"),
    "contraction": Table(performance_tables.contraction_table, RESULTS / "contraction.csv"),
    "fuse": Table(performance_tables.fuse_table, RESULTS / "fuse.csv"),
    "training loop": Table(performance_tables.training_loop_table, RESULTS / "training_loop.csv"),
    "roofline": Table(performance_tables.roofline_table, RESULTS / "roofline.csv"),
    "detectors": Table(detectors_table, ROOT / "zoo" / "detection" / "results.csv", is_measured=False),
    "stamps": Table(stamps_table, RESULTS / "stamps.csv"),
    "detector memory": Table(detector_memory_table, RESULTS / "detector_memory.csv"),
    "input streams": Table(input_streams_table, RESULTS / "input_streams.csv"),
    "semi-supervised": Table(semi_supervised_table, RESULTS / "fashion_mnist_semi.csv"),
    "pseudo-labels, measured": Table(
        lambda rows: plain_table(rows, "what", "value"), RESULTS / "pseudo_labels_measured.csv"
    ),
    "pseudo-labels": Table(pseudo_labels_table, RESULTS / "pseudo_labels.csv", is_measured=False),
    "fine-tuning defaults": Table(fine_tuning_defaults_table, RESULTS / "fine_tuning_defaults.csv"),
    "serving load": Table(serving_load_table, RESULTS / "serving_load.csv"),
    "delegates": Table(delegates_table, RESULTS / "delegates.csv", is_measured=False),
    "any size": Table(any_size_table, RESULTS / "any_size.csv"),
}


def render(text):
    """The text with its tables made anew."""
    for name in TABLES:
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda match, name=name: f"{match[1]}{made(name)}{match[2]}", text, flags=re.DOTALL)
    return text


def made(name):
    """The tables of a name, one for each device, and below each what it was measured on."""
    table = TABLES[name]
    rows = read(table.file)
    if not table.is_measured:
        return f"{table.make(rows)}\n"
    return "\n".join(f"{table.make(of_device)}\n{origin(of_device)}" for of_device in by_device(rows))


def main():
    """Writes the pages whose tables have changed."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        made = render(text)
        if made != text:
            page.with_suffix(".tmp").write_text(made, encoding="utf-8")
            os.replace(page.with_suffix(".tmp"), page)
            print(f"Wrote the tables of {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
