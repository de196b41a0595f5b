"""The benchmark of accelerators runs without TensorFlow: all of it in little, on the CPU under jax, beside torch."""

import csv
import types

import pytest

pytestmark = pytest.mark.backends

SCRIPT = """
import importlib.machinery, pathlib, sys

def find_spec(name, path=None, target=None, find=importlib.machinery.PathFinder.find_spec):
    # As where they are not installed.
    return None if name.partition(".")[0] in ("tensorflow", "timm") else find(name, path, target)

importlib.machinery.PathFinder.find_spec = find_spec

from benchmarks import accelerator, timing
from lambda_keras.layers.contraction_plan import Depths, Problem
from lambda_keras.layers.grids import Grids

accelerator.RESULTS = timing.RESULTS = pathlib.Path(sys.argv[1])
pair = ("lambda_resnet_tiny", 32, "no_network", 32)
problem = Problem(Grids((2, 2), (2, 2)), Depths(4, 16, 4), scope_size=None, batch=1)
accelerator.measure(
    cells=[((4, 4), 8, 2, None)],
    pairs=[(pair, "mixed_bfloat16", "inference")],
    problems=[(problem, False), (problem, True)],
    batch=2,
)
assert not any(name.partition(".")[0] == "tensorflow" for name in sys.modules)
"""


@pytest.fixture(scope="module")
def outcome(run_python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run_python(SCRIPT, folder, KERAS_BACKEND="jax")
    with open(folder / "accelerator_jax.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    report = (folder / "accelerator_jax.txt").read_text()
    return types.SimpleNamespace(folder=folder, rows=rows, report=report)


def test_what_could_be_run_has_a_row_with_its_origin(outcome):
    layers = [(row["mode"], row["implementation"]) for row in outcome.rows if row["part"] == "layer"]
    implementations = ("auto", "lambda_first", "query_first", "lucidrains, torch")
    assert layers == [(mode, name) for mode in ("inference", "training") for name in implementations]
    (network,) = (row for row in outcome.rows if row["part"] == "pair")
    assert (network["implementation"], network["policy"]) == ("lambda_resnet_tiny", "mixed_bfloat16")
    for row in outcome.rows:
        assert float(row["seconds"]) > 0
        assert row["device"].endswith(" cores, jax")
        assert "jax" in row["versions"]
        assert row["date"]


def test_what_could_not_be_run_is_one_line_each(outcome):
    lines = outcome.report.partition("Not done:\n")[2].splitlines()
    assert [line.partition(",")[0].partition(":")[0] for line in lines] == [
        "- an accelerator",
        "- timm",
        "- no_network",
    ]
    assert "There is no model 'no_network'" in lines[-1]


def test_the_fitted_costs_say_where_they_go(outcome):
    assert "of lambda_keras/layers/contraction_plan.py:\n    inference={\n" in outcome.report
    assert outcome.report.count('"query_first": Costs(') == 2


def test_there_is_a_plot(outcome):
    assert (outcome.folder / "accelerator_jax.png").read_bytes().startswith(b"\x89PNG")
