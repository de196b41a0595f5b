"""The tables of docs/performance.md, each made of the rows of one device."""

import statistics

from benchmarks.markdown import counts, markdown


def peers_table(rows):
    """Time or memory of other implementations over ours, the best of them last."""
    columns = ("grid", "batch", "scope_size", "mode")
    problems = {}
    for row in rows:
        problems.setdefault(tuple(row[column] for column in columns), {})[row["implementation"]] = row["ratio_to_ours"]
    peers = [name for name in dict.fromkeys(row["implementation"] for row in rows) if "lambda_keras" not in name]
    fused = "lambda_keras, fused"
    titles = ["map", "batch", "scope", "mode", *peers, "best of them", "best of them ÷ fused"]
    lines = []
    for problem, ratios in problems.items():
        best = min(float(ratios[peer]) for peer in peers if peer in ratios)
        of_fused = f"{best / float(ratios[fused]):.2f}" if fused in ratios else "–"
        lines.append([*problem, *(ratios.get(peer, "–") for peer in peers), f"**{best:.2f}**", of_fused])
    return markdown(titles, "llll" + "r" * (len(peers) + 2), lines)


def export_table(rows):
    """A row for each kind of artifact: size and latency of one image of each model."""
    rows = {(row["artifact"], row["model"]): row for row in rows}
    models = list(dict.fromkeys(model for _, model in rows))
    titles = ["artifact"]
    for model in models:
        titles += [f"{model}, MB", "ms"]
    lines = []
    for artifact in dict.fromkeys(artifact for artifact, _ in rows):
        cells = [artifact]
        for model in models:
            row = rows.get((artifact, model))
            cells += [f"{int(row['bytes']) / 1e6:.1f}", f"{1e3 * float(row['seconds']):.1f}"] if row else ["–", "–"]
        lines.append([*cells, rows[artifact, models[0]]["ratio_to_resnet50"]])
    return markdown([*titles, f"{models[0]} ÷ {models[1]}"], "l" + "r" * len(titles), lines)


PAIR_MODES = ("training", "inference", "inference, LambdaResNet fused", "inference, both fused")


def pairs_table(rows):
    """A row for each pair of networks, mode and precision."""
    titles = ["LambdaResNet", "EfficientNet", "mode", "precision", "EfficientNet ÷ LambdaResNet"]
    lines = []
    for row in pair_rows(rows):
        networks = [f"`{row['model']}` at {row['image_size']}", f"{row['other']} at {row['other_image_size']}"]
        ratios = [f"**{row['ratio']}**", row["ratio_of_fastest_other"]]
        lines.append([*networks, row["mode"], row["policy"], *ratios])
    return markdown([*titles, "faster EfficientNet ÷ it"], "llllrr", lines)


def pair_rows(rows):
    """The rows of pairs, and among them those of fused LambdaResNets beside EfficientNets as they are."""
    rows = [*rows, *_with_ours_fused(rows)]
    models = list(dict.fromkeys(row["model"] for row in rows))
    return sorted(rows, key=lambda row: (models.index(row["model"]), PAIR_MODES.index(row["mode"])))


def _with_ours_fused(rows):
    """Rows of LambdaResNets when both are fused, with the EfficientNets' times when neither is."""
    for row in rows:
        if row["mode"] != "inference, both fused":
            continue
        unfused = {
            other["policy"]: float(other["other_seconds"])
            for other in rows
            if (other["model"], other["mode"]) == (row["model"], "inference")
        }
        seconds = float(row["seconds"])
        yield {
            **row,
            "mode": "inference, LambdaResNet fused",
            "ratio": f"{unfused[row['policy']] / seconds:.2f}",
            "ratio_of_fastest_other": f"{min(unfused.values()) / seconds:.2f}",
        }


def growth_table(rows):
    """A row for each layer: time and memory at the largest map, and the exponents."""
    largest = {row["layer"]: row for row in rows}
    lines = []
    for layer, row in largest.items():
        time = f"{1e3 * float(row['seconds']):.1f}"
        exponents = [f"n^{row['exponent_of_time']}", f"n^{row['exponent_of_memory']}"]
        lines.append([layer, f"{row['side']}×{row['side']}", time, row["megabytes"], *exponents])
    return markdown(["layer", "largest map", "ms", "MB", "time grows as", "memory grows as"], "llrrrr", lines)


def variants_table(rows, label):
    """A row for each variant of a network that `benchmarks.networks.compare` timed."""
    lines = []
    for row in rows:
        parameters, multiply_adds = counts(row)
        ratios = [row["inference_ratio"], row["training_ratio"]]
        lines.append([row["network"], f"{parameters:.2f}", f"{multiply_adds:.2f}", *ratios])
    return markdown([label, "parameters (M)", "multiply-adds (G)", "inference", "training"], "lrrrr", lines)


def interactions_table(rows):
    """A row for each layer: memory by formula, in the paper and measured; throughput in the paper and measured."""
    paper = {row["layer"]: row["paper_images_per_second"] for row in rows}
    # Rows of earlier versions do not say it.
    pixels = rows[0].get("image_size") or 224
    titles = [
        "layer",
        "maps at batch 128, by formula (GiB)",
        "in the paper",
        "throughput in the paper, as a ratio",
        f"peak of a step at batch {rows[0]['batch']} of {pixels} pixels, measured (MB)",
        "throughput, measured, as a ratio",
    ]
    lines = []
    for row in rows:
        of_paper = row["paper_images_per_second"]
        ratio = f"{int(of_paper) / int(paper['lambda']):.2f}" if of_paper else "–"
        maps = [row["formula_gibibytes_of_128"] or "–", row["paper_gibibytes_of_128"] or "–"]
        lines.append([row["layer"], *maps, ratio, row["peak_megabytes"], row["throughput_ratio_to_lambda"]])
    return markdown(titles, "lrrrrr", lines)


def roofline_table(rows):
    """A column for each network and mode: what it reaches of the peak, and the shares of its operations."""
    lines = [["multiply-adds a second (G)", *(row["gigamultiply_adds_per_second"] for row in rows)]]
    for column in rows[0]:
        if column.startswith("share"):
            lines.append([column.replace("_", " "), *(f"{float(row[column]):.1%}" for row in rows)])
    return markdown(["", *(f"{row['network']}, {row['mode']}" for row in rows)], "l" + "r" * len(rows), lines)


def contraction_table(rows):
    """A row for inference and one for training: the plan's time over that of the best candidate, its regret."""
    lines = []
    chosen = [row for row in rows if row["chosen"] == "1"]
    for mode in dict.fromkeys(row["mode"] for row in chosen):
        of_mode = [row for row in chosen if row["mode"] == mode]
        mean = statistics.geometric_mean(float(row["ratio_to_best"]) for row in of_mode)
        worst = max(of_mode, key=lambda row: float(row["ratio_to_best"]))
        size = worst["scope_size"]
        scope = "global scope" if size == "global" else f"scope {size}"
        where = f"{worst['side']}×{worst['side']}, batch {worst['batch']}, {scope}"
        lines.append([mode, len(of_mode), f"{mean:.2f}", worst["ratio_to_best"], where])
    return markdown(["mode", "drawn shapes", "regret, geometric mean", "at worst", "where"], "lrrrl", lines)


def fuse_table(rows):
    """A row for each model and batch: time of the fused network over that of the original."""
    lines = []
    for row in rows:
        times = [f"{1e3 * float(row[name]):.1f}" for name in ("original_seconds", "fused_seconds")]
        lines.append([f"`{row['model']}`", row["image_size"], row["batch"], *times, row["ratio"]])
    return markdown(["model", "image size", "batch", "ms", "fused, ms", "fused ÷ original"], "lrrrrr", lines)


def training_loop_table(rows):
    """A row for each model: images a second of a bare step and of the trainer."""
    figures = {
        "image_size": "image size",
        "batch_size": "batch",
        "bare_images_per_second": "bare step, images/s",
        "trainer_images_per_second": "trainer, images/s",
        "ratio": "ratio",
    }
    lines = [[f"`{row['model']}`", *(row[name] for name in figures)] for row in rows]
    return markdown(["model", *figures.values()], "lrrrrr", lines)
