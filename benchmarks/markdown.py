"""Tables in Markdown, and the CSV files of results that their rows come from."""

import csv
import statistics

from benchmarks.timing import RESULTS


def read(path):
    """Rows of a CSV file as dicts."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def markdown(titles, sides, rows):
    """A table as text.

    Args:
        titles: Of the columns.
        sides: The side on which the cells of each column stand, a string of `l` and `r`.
        rows: The cells of each row.
    """
    rule = "|".join("--:" if side == "r" else "---" for side in sides)
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (titles, *rows)]
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def plain_table(name, *columns):
    """A table of columns that stand in a CSV of results as they are to be shown."""
    rows = [[row[column] for column in columns] for row in read(RESULTS / f"{name}.csv")]
    return markdown(columns, "l" + "r" * (len(columns) - 1), rows)


def counts(row):
    """The parameters of a network in millions, and its multiply-adds in billions."""
    return int(row["parameters"]) / 1e6, int(row["multiply_adds"]) / 1e9


def mean_and_deviation(values):
    """In words: the mean, and behind it, of more than one value, their standard deviation."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"
