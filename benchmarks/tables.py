"""Writes the tables of README and docs from the CSV files that measurements and the zoo keep.

    python -m benchmarks.tables

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what stood there is replaced.
"""

import csv
import os
import pathlib
import re
import statistics
from collections.abc import Callable
from typing import NamedTuple

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


def read(path):
    """Rows of a CSV file as dicts."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def models_table(models=None):
    """A row for each model; the paper's accuracy at the same image size and that of weights have columns of their own.

    Args:
        models: Names of the models; by default all.
    """
    paper = {(row["model"], row["image_size"]): row["paper_top1"] for row in read(ROOT / "zoo" / "results.csv")}
    lines = [
        "| model | image size | parameters (M) | multiply-adds (G) | top-1 in the paper (%) | weights "
        "| top-1 of the weights, as published (%) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in read(RESULTS / "models.csv"):
        if models is not None and row["model"] not in models:
            continue
        parameters, multiply_adds = int(row["parameters"]) / 1e6, int(row["multiply_adds"]) / 1e9
        top1 = paper.get((row["model"], row["image_size"])) or "–"
        lines.append(
            f"| `{row['model']}` | {row['image_size']} | {parameters:.2f} | {multiply_adds:.3g} | {top1} | "
            f"{_weights(row['model'])} |"
        )
    return "\n".join(lines)


def _weights(model):
    """Two cells: the tags of a model's weights and their published accuracy on ImageNet, or that there are none."""
    records = [catalog.find(model, tag) for tag in catalog.tags(model)]
    if not records:
        return "architecture only | –"
    tags = ", ".join(f"`{record.tag}`" for record in records)
    # Our own measurements, on other datasets, have a table of their own.
    metrics = [metric for record in records if record.dataset == "imagenet" for metric in record.metrics]
    return f"{tags} | {', '.join(str(metric.value) for metric in metrics) or '–'}"


def peers_table():
    """Time of other implementations over ours, the best of them last."""
    rows = read(RESULTS / "peers.csv")
    columns = ("grid", "batch", "scope_size", "mode")
    problems = {}
    for row in rows:
        problems.setdefault(tuple(row[column] for column in columns), {})[row["implementation"]] = row["ratio_to_ours"]
    peers = [name for name in dict.fromkeys(row["implementation"] for row in rows) if "lambda_keras" not in name]
    fused = "lambda_keras, fused"
    lines = [
        f"| map | batch | scope | mode | {' | '.join(peers)} | best of them | best of them ÷ fused |",
        "|---|---|---|---|" + "--:|" * (len(peers) + 2),
    ]
    for problem, ratios in problems.items():
        best = min(float(ratios[peer]) for peer in peers if peer in ratios)
        cells = [ratios.get(peer, "–") for peer in peers]
        of_fused = f"{best / float(ratios[fused]):.2f}" if fused in ratios else "–"
        lines.append(f"| {' | '.join(problem)} | {' | '.join(cells)} | **{best:.2f}** | {of_fused} |")
    return "\n".join(lines)


def export_table():
    """A row for each kind of artifact: size and latency of one image of each model."""
    rows = {(row["artifact"], row["model"]): row for row in read(RESULTS / "export.csv")}
    models = list(dict.fromkeys(model for _, model in rows))
    lines = [
        f"| artifact | {' | '.join(f'{model}, MB | ms' for model in models)} | {models[0]} ÷ {models[1]} |",
        "|---|" + "--:|" * (2 * len(models) + 1),
    ]
    for artifact in dict.fromkeys(artifact for artifact, _ in rows):
        found = [rows.get((artifact, model)) for model in models]
        cells = [
            f"{int(row['bytes']) / 1e6:.1f} | {1e3 * float(row['seconds']):.1f}" if row else "– | –" for row in found
        ]
        lines.append(f"| {artifact} | {' | '.join(cells)} | {found[0]['ratio_to_resnet50']} |")
    return "\n".join(lines)


def pairs_table():
    """A row for each pair of networks, mode and precision."""
    lines = [
        "| LambdaResNet | EfficientNet | mode | precision | EfficientNet ÷ LambdaResNet | faster EfficientNet ÷ it |",
        "|---|---|---|---|--:|--:|",
    ]
    for row in read(RESULTS / "pairs.csv"):
        ours, other = f"`{row['model']}` at {row['image_size']}", f"{row['other']} at {row['other_image_size']}"
        ratios = f"**{row['ratio']}** | {row['ratio_of_fastest_other']}"
        lines.append(f"| {ours} | {other} | {row['mode']} | {row['policy']} | {ratios} |")
    return "\n".join(lines)


def input_streams_table():
    """A row for each number of workers: what one of them opens and reads."""
    lines = ["| workers | files opened by a worker | images/s that it prepares |", "|--:|--:|--:|"]
    for row in read(RESULTS / "input_streams.csv"):
        opened = f"{row['files_opened_by_a_worker']} of {row['files']}"
        lines.append(f"| {row['workers']} | {opened} | {row['images_per_second_of_a_worker']} |")
    return "\n".join(lines)


def semi_supervised_table():
    """A row for each training, a column for each network: mean and standard deviation over the seeds."""
    rows = read(RESULTS / "fashion_mnist_semi.csv")
    networks = list(dict.fromkeys(row["network"] for row in rows))
    lines = [f"| training | {' | '.join(f'{network} (%)' for network in networks)} |", "|---|" + "--:|" * len(networks)]
    for training in dict.fromkeys(row["training"] for row in rows):
        cells = []
        for network in networks:
            found = [row for row in rows if (row["training"], row["network"]) == (training, network)]
            values = [float(row["test_accuracy_percent"]) for row in found]
            cells.append(f"{_mean_and_deviation(values)} ({len(values)})" if values else "–")
        lines.append(f"| {training} | {' | '.join(cells)} |")
    return "\n".join(lines)


def pseudo_labels_measured_table():
    """A row for each thing that was measured, or follows from that at once."""
    rows = [f"| {row['what']} | {row['value']} |" for row in read(RESULTS / "pseudo_labels_measured.csv")]
    return "\n".join(["| what | value |", "|---|--:|", *rows])


def pseudo_labels_table():
    """A row for each fleet and way to share the work."""
    lines = [
        "| machines of one core | work is shared as | hours | without failures and slow machines | core-hours "
        "| failures | US dollars |",
        "|--:|---|" + "--:|" * 5,
    ]
    for row in read(RESULTS / "pseudo_labels.csv"):
        figures = " | ".join(
            row[name] for name in ("hours", "hours_without_failures", "core_hours", "failures", "cost")
        )
        lines.append(f"| {int(row['workers']):,} | {row['way']} | {figures} |")
    return "\n".join(lines)


def growth_table():
    """A row for each layer: time and memory at the largest map, and the exponents."""
    rows = {row["layer"]: row for row in read(RESULTS / "growth.csv")}
    lines = ["| layer | largest map | ms | MB | time grows as | memory grows as |", "|---|---|--:|--:|--:|--:|"]
    for layer, row in rows.items():
        time = f"{1e3 * float(row['seconds']):.1f} | {row['megabytes']}"
        exponents = f"n^{row['exponent_of_time']} | n^{row['exponent_of_memory']}"
        lines.append(f"| {layer} | {row['side']}×{row['side']} | {time} | {exponents} |")
    return "\n".join(lines)


def variants_table(name, label):
    """A row for each variant of a network that `benchmarks.networks.compare` timed."""
    lines = [
        f"| {label} | parameters (M) | multiply-adds (G) | inference | training |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in read(RESULTS / f"{name}.csv"):
        parameters, multiply_adds = int(row["parameters"]) / 1e6, int(row["multiply_adds"]) / 1e9
        ratios = f"{row['inference_ratio']} | {row['training_ratio']}"
        lines.append(f"| {row['network']} | {parameters:.2f} | {multiply_adds:.2f} | {ratios} |")
    return "\n".join(lines)


def interactions_table():
    """A row for each layer: memory by formula, in the paper and measured; throughput in the paper and measured."""
    rows = read(RESULTS / "interactions.csv")
    paper = {row["layer"]: row["paper_images_per_second"] for row in rows}
    lines = [
        "| layer | maps at batch 128, by formula (GiB) | in the paper | throughput in the paper, as a ratio "
        f"| peak of a step at batch {rows[0]['batch']}, measured (MB) | throughput, measured, as a ratio |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        of_paper = row["paper_images_per_second"]
        ratio = f"{int(of_paper) / int(paper['lambda']):.2f}" if of_paper else "–"
        theirs = f"{row['formula_gibibytes_of_128'] or '–'} | {row['paper_gibibytes_of_128'] or '–'} | {ratio}"
        lines.append(f"| {row['layer']} | {theirs} | {row['peak_megabytes']} | {row['throughput_ratio_to_lambda']} |")
    return "\n".join(lines)


def startup_table():
    """A row for each thing that takes time before the first image."""
    rows = [f"| {row['what']} | {row['seconds']} |" for row in read(RESULTS / "startup.csv")]
    return "\n".join(["| what | seconds |", "|---|--:|", *rows])


def roofline_table():
    """A column for each network: what it reaches of the peak, and the shares of its operations."""
    rows = read(RESULTS / "roofline.csv")
    shares = [column for column in rows[0] if column.startswith("share")]
    lines = [
        f"| of a training step | {' | '.join(row['network'] for row in rows)} |",
        "|---|" + "--:|" * len(rows),
    ]
    lines.append(f"| multiply-adds a second (G) | {' | '.join(row['gigamultiply_adds_per_second'] for row in rows)} |")
    for column in shares:
        lines.append(f"| {column.replace('_', ' ')} | {' | '.join(f'{float(row[column]):.1%}' for row in rows)} |")
    return "\n".join(lines)


def detector_memory_table():
    """A row for each kind of work: the peaks of both sizes, and by how much more the larger image takes."""
    rows = read(RESULTS / "detector_memory.csv")
    sizes = list(dict.fromkeys(row["image_size"] for row in rows))
    lines = [
        f"| one image | {' | '.join(f'peak at {size} pixels (GB)' for size in sizes)} | growth, as a ratio |",
        "|---|" + "--:|" * (len(sizes) + 1),
    ]
    for work in dict.fromkeys(row["work"] for row in rows):
        of_work = [row for row in rows if row["work"] == work]
        cells = [*(row["peak_gigabytes"] for row in of_work), of_work[-1]["growth_ratio"]]
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return "\n".join(lines)


def detectors_table():
    """A row for each recipe of the paper's detectors, with the paper's figures."""
    figures = [f"{kind}_ap{size}" for kind in ("box", "mask") for size in ("", "_small", "_medium", "_large")]
    lines = [
        "| recipe | paper: AP box | small | medium | large | paper: AP mask | small | medium | large | here |",
        "|---|" + "--:|" * len(figures) + "---|",
    ]
    for row in read(ROOT / "zoo" / "detection" / "results.csv"):
        lines.append(f"| `{row['recipe']}` | {' | '.join(row[figure] for figure in figures)} | not run |")
    return "\n".join(lines)


def stamps_table():
    """A row for each detector of the stamps: COCO's figures, the mean over its trainings and their deviation."""
    names = ("ap", "ap50", "ap_small", "ap_medium", "ap_large")
    figures = [f"{kind}_{name}" for kind in ("boxes", "masks") for name in names]
    lines = [
        "| detector | trainings | AP box | AP50 | small | medium | large | AP mask | AP50 | small | medium | large |",
        "|---|--:|" + "--:|" * len(figures),
    ]
    rows = read(RESULTS / "stamps.csv")
    for detector in dict.fromkeys(row["detector"] for row in rows):
        of_detector = [row for row in rows if row["detector"] == detector]
        cells = [_mean_and_deviation([100 * float(row[figure]) for row in of_detector]) for figure in figures]
        trainings = len(of_detector) if of_detector[0]["seconds"] else "–"
        lines.append(f"| {detector} | {trainings} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean_and_deviation(values):
    """In words: the mean, and behind it, of more than one value, their standard deviation."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def origin(name):
    """Where and when the rows of a measurement were measured: a line below its table."""
    rows = read(RESULTS / f"{name}.csv")
    found = (" and ".join(dict.fromkeys(row[column] for row in rows)) for column in ("device", "versions", "date"))
    return f"\nMeasured on: {'; '.join(found)}.\n"


def serving_load_table():
    """A row for each minute of the clients of a server."""
    lines = [
        "| after | answered | lost or wrong | requests/s | p50 | p90 | p99 | memory of the server |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in read(RESULTS / "serving_load.csv"):
        bad = int(row["lost"]) + int(row["wrong"])
        times = " | ".join(f"{row[name]} ms" for name in ("p50_ms", "p90_ms", "p99_ms"))
        lines.append(
            f"| {float(row['seconds']):g} s | {row['answered']} | {bad} | {row['requests_per_second']} | {times} | "
            f"{float(row['server_mb']):.0f} MB |"
        )
    return "\n".join(lines)


def any_size_table():
    """A row for each size of pictures that a file makes ready itself."""
    lines = ["| picture | time | memory |", "|---|--:|--:|"]
    for row in read(RESULTS / "any_size.csv"):
        lines.append(f"| {row['width']} × {row['height']} | {float(row['ms']):.0f} ms | {row['mb']} MB |")
    return "\n".join(lines)


def contraction_table():
    """A row for inference and one for training: the plan's time over that of the best candidate, its regret."""
    lines = ["| | drawn shapes | regret, geometric mean | at worst | where |", "|---|--:|--:|--:|---|"]
    chosen = [row for row in read(RESULTS / "contraction.csv") if row["chosen"] == "1"]
    for mode in dict.fromkeys(row["mode"] for row in chosen):
        of_mode = [row for row in chosen if row["mode"] == mode]
        mean = statistics.geometric_mean(float(row["ratio_to_best"]) for row in of_mode)
        worst = max(of_mode, key=lambda row: float(row["ratio_to_best"]))
        size = worst["scope_size"]
        scope = "global scope" if size == "global" else f"scope {size}"
        where = f"{worst['side']}×{worst['side']}, batch {worst['batch']}, {scope}"
        lines.append(f"| {mode} | {len(of_mode)} | {mean:.2f} | {worst['ratio_to_best']} | {where} |")
    return "\n".join(lines)


def fuse_table():
    """A row for each model and batch: time of the fused network over that of the original."""
    lines = ["| model | image size | batch | ms | fused, ms | fused ÷ original |", "|---|--:|--:|--:|--:|--:|"]
    for row in read(RESULTS / "fuse.csv"):
        times = " | ".join(f"{1e3 * float(row[name]):.1f}" for name in ("original_seconds", "fused_seconds"))
        lines.append(f"| `{row['model']}` | {row['image_size']} | {row['batch']} | {times} | {row['ratio']} |")
    return "\n".join(lines)


def training_loop_table():
    """A row for each model: images a second of a bare step and of the trainer."""
    lines = ["| model | image size | batch | bare step, images/s | trainer, images/s | ratio |", "|---|" + "--:|" * 5]
    for row in read(RESULTS / "training_loop.csv"):
        rates = f"{row['bare_images_per_second']} | {row['trainer_images_per_second']}"
        lines.append(f"| `{row['model']}` | {row['image_size']} | {row['batch_size']} | {rates} | {row['ratio']} |")
    return "\n".join(lines)


def fine_tuning_defaults_table():
    """A row for each start and settings: the balanced accuracy of each fold, and the mean."""
    found = {}
    for row in read(RESULTS / "fine_tuning_defaults.csv"):
        found.setdefault((row["start"], row["settings"]), []).append(float(row["balanced_accuracy_percent"]))
    folds = max(map(len, found.values()))
    lines = [
        f"| weights | settings | fold {' | '.join(map(str, range(folds)))} | mean |",
        "|---|---|" + "--:|" * (folds + 1),
    ]
    for row in sorted(found, key=lambda row: row[0] != "random"):
        cells = [f"{value:.1f}" for value in found[row]]
        lines.append(f"| {row[0]} | {row[1]} | {' | '.join(cells)} | {_mean_and_deviation(found[row])} |")
    return "\n".join(lines)


def delegates_table():
    """A row for each kind of TFLite file: what delegates leave to the CPU."""
    lines = [
        "| model | kind | operations | GPU, README | GPU, source | NNAPI | Core ML |",
        "|---|---|--:|---|---|---|---|",
    ]
    for row in read(RESULTS / "delegates.csv"):
        left = " | ".join(row[delegate] for delegate in ("gpu_readme", "gpu_source", "nnapi", "core_ml"))
        lines.append(f"| `{row['model']}` | `{row['kind']}`, `{row['options']}` | {row['operations']} | {left} |")
    return "\n".join(lines)


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
    "peers": Table(peers_table, "peers"),
    "export": Table(export_table, "export"),
    "pairs": Table(pairs_table, "pairs"),
    "growth": Table(growth_table, "growth"),
    "interactions": Table(interactions_table, "interactions"),
    "hybrids": Table(lambda: variants_table("hybrids", "stages"), "hybrids"),
    "scopes": Table(lambda: variants_table("scopes", "scope"), "scopes"),
    "startup": Table(startup_table, "startup"),
    "contraction": Table(contraction_table, "contraction"),
    "fuse": Table(fuse_table, "fuse"),
    "training loop": Table(training_loop_table, "training_loop"),
    "roofline": Table(roofline_table, "roofline"),
    "detectors": Table(detectors_table),
    "stamps": Table(stamps_table, "stamps"),
    "detector memory": Table(detector_memory_table, "detector_memory"),
    "input streams": Table(input_streams_table, "input_streams"),
    "semi-supervised": Table(semi_supervised_table, "fashion_mnist_semi"),
    "pseudo-labels, measured": Table(pseudo_labels_measured_table, "pseudo_labels_measured"),
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
