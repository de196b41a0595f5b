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
from benchmarks.markdown import counts, markdown, mean_and_deviation, plain_table, read
from benchmarks.timing import RESULTS
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


def models_table(models=None):
    """A row for each model; the paper's accuracy at the same image size and that of weights have columns of their own.

    Args:
        models: Names of the models; by default all.
    """
    paper = {(row["model"], row["image_size"]): row["paper_top1"] for row in read(ROOT / "zoo" / "results.csv")}
    titles = ["model", "image size", "parameters (M)", "multiply-adds (G)", "top-1 in the paper (%)", "weights"]
    rows = []
    for row in read(RESULTS / "models.csv"):
        if models is None or row["model"] in models:
            parameters, multiply_adds = counts(row)
            top1 = paper.get((row["model"], row["image_size"])) or "–"
            size = [f"`{row['model']}`", row["image_size"], f"{parameters:.2f}", f"{multiply_adds:.3g}"]
            rows.append([*size, top1, *_weights(row["model"])])
    return markdown([*titles, "top-1 of the weights, as published (%)"], "lllllll", rows)


def _weights(model):
    """Two cells: the tags of a model's weights and their published accuracy on ImageNet, or that there are none."""
    records = [catalog.find(model, tag) for tag in catalog.tags(model)]
    if not records:
        return "architecture only", "–"
    tags = ", ".join(f"`{record.tag}`" for record in records)
    # Our own measurements, on other datasets, have a table of their own.
    metrics = [metric for record in records if record.dataset == "imagenet" for metric in record.metrics]
    return tags, ", ".join(str(metric.value) for metric in metrics) or "–"


def input_streams_table():
    """A row for each number of workers: what one of them opens and reads."""
    rows = [
        [
            row["workers"],
            f"{row['files_opened_by_a_worker']} of {row['files']}",
            row["images_per_second_of_a_worker"],
        ]
        for row in read(RESULTS / "input_streams.csv")
    ]
    return markdown(["workers", "files opened by a worker", "images/s that it prepares"], "rrr", rows)


def semi_supervised_table():
    """A row for each training, a column for each network: mean and standard deviation over the seeds."""
    rows = read(RESULTS / "fashion_mnist_semi.csv")
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


def pseudo_labels_table():
    """A row for each fleet and way to share the work."""
    figures = {
        "hours": "hours",
        "hours_without_failures": "without failures and slow machines",
        "core_hours": "core-hours",
        "failures": "failures",
        "cost": "US dollars",
    }
    rows = [
        [f"{int(row['workers']):,}", row["way"], *(row[name] for name in figures)]
        for row in read(RESULTS / "pseudo_labels.csv")
    ]
    return markdown(["machines of one core", "work is shared as", *figures.values()], "rlrrrrr", rows)


def detector_memory_table():
    """A row for each kind of work: the peaks of both sizes, and by how much more the larger image takes."""
    rows = read(RESULTS / "detector_memory.csv")
    peaks = [f"peak at {size} pixels (GB)" for size in dict.fromkeys(row["image_size"] for row in rows)]
    lines = []
    for work in dict.fromkeys(row["work"] for row in rows):
        of_work = [row for row in rows if row["work"] == work]
        lines.append([work, *(row["peak_gigabytes"] for row in of_work), of_work[-1]["growth_ratio"]])
    return markdown(["one image", *peaks, "growth, as a ratio"], "l" + "r" * (len(peaks) + 1), lines)


def detectors_table():
    """A row for each recipe of the paper's detectors, with the paper's figures."""
    sizes = ("small", "medium", "large")
    figures = [f"{kind}_ap{size}" for kind in ("box", "mask") for size in ("", *(f"_{size}" for size in sizes))]
    rows = [
        [f"`{row['recipe']}`", *(row[figure] for figure in figures), "not run"]
        for row in read(ROOT / "zoo" / "detection" / "results.csv")
    ]
    titles = ["recipe", "paper: AP box", *sizes, "paper: AP mask", *sizes, "here"]
    return markdown(titles, "l" + "r" * len(figures) + "l", rows)


def stamps_table():
    """A row for each detector of the stamps: COCO's figures, the mean over its trainings and their deviation."""
    sizes = ("small", "medium", "large")
    names = ("ap", "ap50", *(f"ap_{size}" for size in sizes))
    figures = [f"{kind}_{name}" for kind in ("boxes", "masks") for name in names]
    rows, lines = read(RESULTS / "stamps.csv"), []
    for detector in dict.fromkeys(row["detector"] for row in rows):
        of_detector = [row for row in rows if row["detector"] == detector]
        cells = [mean_and_deviation([100 * float(row[figure]) for row in of_detector]) for figure in figures]
        trainings = len(of_detector) if of_detector[0]["seconds"] else "–"
        lines.append([detector, trainings, *cells])
    titles = ["detector", "trainings", "AP box", "AP50", *sizes, "AP mask", "AP50", *sizes]
    return markdown(titles, "lr" + "r" * len(figures), lines)


def origin(name):
    """Where and when the rows of a measurement were measured: a line below its table."""
    rows = read(RESULTS / f"{name}.csv")
    found = (" and ".join(dict.fromkeys(row[column] for row in rows)) for column in ("device", "versions", "date"))
    return f"\nMeasured on: {'; '.join(found)}.\n"


def serving_load_table():
    """A row for each minute of the clients of a server."""
    titles = ["after", "answered", "lost or wrong", "requests/s", "p50", "p90", "p99", "memory of the server"]
    rows = []
    for row in read(RESULTS / "serving_load.csv"):
        counts = [row["answered"], int(row["lost"]) + int(row["wrong"]), row["requests_per_second"]]
        times = [f"{row[name]} ms" for name in ("p50_ms", "p90_ms", "p99_ms")]
        rows.append([f"{float(row['seconds']):g} s", *counts, *times, f"{float(row['server_mb']):.0f} MB"])
    return markdown(titles, "rrrrrrrr", rows)


def any_size_table():
    """A row for each size of pictures that a file makes ready itself."""
    rows = [
        [f"{row['width']} × {row['height']}", f"{float(row['ms']):.0f} ms", f"{row['mb']} MB"]
        for row in read(RESULTS / "any_size.csv")
    ]
    return markdown(["picture", "time", "memory"], "lrr", rows)


def fine_tuning_defaults_table():
    """A row for each start and settings: the balanced accuracy of each fold, and the mean."""
    found = {}
    for row in read(RESULTS / "fine_tuning_defaults.csv"):
        found.setdefault((row["start"], row["settings"]), []).append(float(row["balanced_accuracy_percent"]))
    rows = [
        [*names, *(f"{value:.1f}" for value in values), mean_and_deviation(values)]
        for names, values in sorted(found.items(), key=lambda item: item[0][0] != "random")
    ]
    folds = ["fold 0", *range(1, max(map(len, found.values())))]
    return markdown(["weights", "settings", *folds, "mean"], "ll" + "r" * (len(folds) + 1), rows)


def delegates_table():
    """A row for each kind of TFLite file: what delegates leave to the CPU."""
    left = {"gpu_readme": "GPU, README", "gpu_source": "GPU, source", "nnapi": "NNAPI", "core_ml": "Core ML"}
    rows = [
        [
            f"`{row['model']}`",
            f"`{row['kind']}`, `{row['options']}`",
            row["operations"],
            *(row[delegate] for delegate in left),
        ]
        for row in read(RESULTS / "delegates.csv")
    ]
    return markdown(["model", "kind", "operations", *left.values()], "llrllll", rows)


class Table(NamedTuple):
    """A table of a page.

    Attributes:
        make: Function that returns its text.
        measured: The CSV of results whose figures another machine would not repeat; the machine is named below.
    """

    make: Callable[[], str]
    measured: str | None = None


TABLES = {
    "models": Table(models_table),
    "chosen models": Table(lambda: models_table(CHOSEN)),
    "peers": Table(performance_tables.peers_table, "peers"),
    "export": Table(performance_tables.export_table, "export"),
    "pairs": Table(performance_tables.pairs_table, "pairs"),
    "growth": Table(performance_tables.growth_table, "growth"),
    "interactions": Table(performance_tables.interactions_table, "interactions"),
    "hybrids": Table(lambda: performance_tables.variants_table("hybrids", "stages"), "hybrids"),
    "scopes": Table(lambda: performance_tables.variants_table("scopes", "scope"), "scopes"),
    "startup": Table(lambda: plain_table("startup", "what", "seconds"), "startup"),
    "contraction": Table(performance_tables.contraction_table, "contraction"),
    "fuse": Table(performance_tables.fuse_table, "fuse"),
    "training loop": Table(performance_tables.training_loop_table, "training_loop"),
    "roofline": Table(performance_tables.roofline_table, "roofline"),
    "detectors": Table(detectors_table),
    "stamps": Table(stamps_table, "stamps"),
    "detector memory": Table(detector_memory_table, "detector_memory"),
    "input streams": Table(input_streams_table, "input_streams"),
    "semi-supervised": Table(semi_supervised_table, "fashion_mnist_semi"),
    "pseudo-labels, measured": Table(
        lambda: plain_table("pseudo_labels_measured", "what", "value"), "pseudo_labels_measured"
    ),
    "pseudo-labels": Table(pseudo_labels_table),
    "fine-tuning defaults": Table(fine_tuning_defaults_table, "fine_tuning_defaults"),
    "serving load": Table(serving_load_table, "serving_load"),
    "delegates": Table(delegates_table),
    "any size": Table(any_size_table, "any_size"),
}


def render(text):
    """The text with its tables made anew."""
    for name in TABLES:
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda match, name=name: f"{match[1]}{made(name)}{match[2]}", text, flags=re.DOTALL)
    return text


def made(name):
    """A table, and below it what it was measured on."""
    table = TABLES[name]
    below = "" if table.measured is None else origin(table.measured)
    return f"{table.make()}\n{below}"


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
