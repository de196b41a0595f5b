"""Rows of results: whose rows stay when others are measured, and how long the short form measures."""

import pytest

from benchmarks import timing


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    monkeypatch.setattr(timing, "this_machine", lambda: "this CPU, 2 cores")
    return tmp_path


def what_stays():
    """Device, form and value of each row of the file."""
    rows = timing.read(timing.RESULTS / "layers.csv")
    return [(row["device"], row.get("form") or "", row["seconds"]) for row in rows]


def test_rows_of_other_devices_stay_and_those_of_this_one_are_replaced():
    timing.write_csv("layers", [{"layer": "lambda", "seconds": 1}, {"layer": "attention", "seconds": 2}])
    timing.write_csv("layers", [{"layer": "lambda", "seconds": 3}], device="a GPU")
    timing.write_csv("layers", [{"layer": "lambda", "seconds": 4}])
    assert what_stays() == [("a GPU", "", "3"), ("this CPU, 2 cores", "", "4")]


def test_rows_with_other_columns_stay_as_they_are(results):
    old = "layer,seconds,peak,versions,device,date\nlambda,1,9,keras 3,another CPU,2026-01-02\n"
    (results / "layers.csv").write_text(old)
    timing.write_csv("layers", [{"layer": "lambda", "image_size": 224, "seconds": 2}], short=True)
    header, of_old, of_new = (results / "layers.csv").read_text().splitlines()
    assert header == "layer,image_size,seconds,peak,versions,device,date,form"
    assert of_old == "lambda,,1,9,keras 3,another CPU,2026-01-02,"
    assert of_new.startswith("lambda,224,2,,keras ")
    assert of_new.endswith(",short")


def test_the_short_form_stands_beside_the_full_one_which_replaces_it():
    timing.write_csv("layers", [{"seconds": 1}])
    timing.write_csv("layers", [{"seconds": 2}], short=True)
    timing.write_csv("layers", [{"seconds": 3}], short=True)
    assert what_stays() == [("this CPU, 2 cores", "", "1"), ("this CPU, 2 cores", "short", "3")]
    timing.write_csv("layers", [{"seconds": 4}])
    assert what_stays() == [("this CPU, 2 cores", "", "4")]


def test_rows_of_an_unnamed_cpu_give_way_to_the_full_form_alone():
    timing.write_csv("layers", [{"seconds": 1}], device="x86_64, 2 cores")
    timing.write_csv("layers", [{"seconds": 2}], short=True)
    assert what_stays() == [("x86_64, 2 cores", "", "1"), ("this CPU, 2 cores", "short", "2")]
    timing.write_csv("layers", [{"seconds": 3}])
    assert what_stays() == [("this CPU, 2 cores", "", "3")]


def test_what_depends_on_no_device_replaces_the_rows_of_all():
    timing.write_csv("layers", [{"seconds": 1}], device="a GPU")
    timing.write_csv("layers", [{"seconds": 2}], replace_all=True)
    assert what_stays() == [("this CPU, 2 cores", "", "2")]


def test_rows_are_told_apart_by_device_and_form():
    timing.write_csv("layers", [{"seconds": 1}, {"seconds": 2}])
    timing.write_csv("layers", [{"seconds": 3}], short=True)
    timing.write_csv("layers", [{"seconds": 4}], device="a GPU")
    found = timing.by_device(timing.read(timing.RESULTS / "layers.csv"))
    assert [[row["seconds"] for row in rows] for rows in found] == [["1", "2"], ["3"], ["4"]]


@pytest.mark.parametrize(("short", "rounds"), [(False, 7), (True, 3)])
def test_the_short_form_measures_fewer_rounds(short, rounds, monkeypatch):
    monkeypatch.setattr(timing, "_seconds", lambda function: function() or 0.5)
    calls = []
    timing.interleaved_medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, short=short)
    # Each once unmeasured, once to see how long it takes, then by turns.
    assert calls == ["a", "b"] * (2 + rounds)
