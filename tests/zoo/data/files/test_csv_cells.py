import pytest

from lambda_keras.zoo.data.files import csv_cells


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1"])
def test_what_begins_like_a_formula_gets_an_apostrophe(cell):
    assert csv_cells.neutral([cell]) == [f"'{cell}"]
    assert csv_cells.original(f"'{cell}") == cell


@pytest.mark.parametrize("cell", ["apple", "", "'s-Hertogenbosch", "1-1", -1, 0.5, None])
def test_other_cells_stay(cell):
    assert csv_cells.neutral([cell]) == [cell]
    if isinstance(cell, str):
        assert csv_cells.original(cell) == cell
