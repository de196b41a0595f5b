"""Writes README's tables from the CSV files that measurements and the zoo keep.

    python -m benchmarks.readme

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what stands there before is replaced.
"""

import csv
import os
import pathlib
import re

from benchmarks.timing import RESULTS

ROOT = pathlib.Path(__file__).parent.parent


def read(path):
    """Rows of a CSV file as dicts."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def models_table():
    """Every model, with the paper's accuracy at the same image size in a column of its own."""
    paper = {(row["model"], row["image_size"]): row["paper_top1"] for row in read(ROOT / "zoo" / "results.csv")}
    lines = [
        "| model | image size | parameters (M) | multiply-adds (G) | top-1 in the paper (%) | weights |",
        "|---|---|---|---|---|---|",
    ]
    for row in read(RESULTS / "models.csv"):
        parameters, multiply_adds = int(row["parameters"]) / 1e6, int(row["multiply_adds"]) / 1e9
        top1 = paper.get((row["model"], row["image_size"])) or "–"
        lines.append(
            f"| `{row['model']}` | {row['image_size']} | {parameters:.2f} | {multiply_adds:.3g} | {top1} | "
            "architecture only |"
        )
    return "\n".join(lines)


def peers_table():
    """Time of other implementations over ours."""
    rows = read(RESULTS / "peers.csv")
    lines = [
        "| map | scope | mode | paper's order in TensorFlow ÷ ours | lucidrains (torch) ÷ ours |",
        "|---|---|---|---|---|",
    ]
    problems = dict.fromkeys((row["side"], row["scope_size"], row["mode"]) for row in rows)
    for side, scope, mode in problems:
        ratios = [
            row["ratio_to_ours"] for row in rows if (row["side"], row["scope_size"], row["mode"]) == (side, scope, mode)
        ]
        lines.append(f"| {side}×{side} | {scope} | {mode} | {ratios[1]} | {ratios[2]} |")
    return "\n".join(lines)


TABLES = {"models": models_table, "peers": peers_table}


def render(text):
    """The text with its tables made anew."""
    for name, table in TABLES.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(\n<!-- end -->)"
        text = re.sub(pattern, lambda match, table=table: match[1] + table() + match[2], text, flags=re.DOTALL)
    return text


def main():
    """Writes README.md."""
    readme = ROOT / "README.md"
    text = render(readme.read_text(encoding="utf-8"))
    readme.with_suffix(".tmp").write_text(text, encoding="utf-8")
    os.replace(readme.with_suffix(".tmp"), readme)
    print(f"Wrote the tables of {readme}")


if __name__ == "__main__":
    main()
