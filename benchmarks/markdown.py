"""Tables in Markdown, made of rows of CSV files."""

import statistics


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


def plain_table(rows, *columns):
    """A table of columns that stand in the rows as they are to be shown."""
    return markdown(columns, "l" + "r" * (len(columns) - 1), [[row[column] for column in columns] for row in rows])


def counts(row):
    """The parameters of a network in millions, and its multiply-adds in billions."""
    return int(row["parameters"]) / 1e6, int(row["multiply_adds"]) / 1e9


def mean_and_deviation(values):
    """In words: the mean, and behind it, of more than one value, their standard deviation."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"
