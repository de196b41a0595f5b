import configparser
import importlib.metadata
import pathlib

import pytest
from packaging.requirements import Requirement

from lambda_keras.zoo.command_line import run
from lambda_keras.zoo.extras import EXTRAS, missing_extra

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_table_has_what_the_extra_of_setup_cfg_brings(extra):
    if extra == "beam":
        pytest.importorskip("apache_beam", reason="`make test-beam` has it")
    configuration = configparser.ConfigParser()
    configuration.read(ROOT / "setup.cfg")
    lines = configuration["options.extras_require"][extra].splitlines()
    required = {Requirement(line).name.lower() for line in lines if line and not line.startswith("#")}
    distributions = importlib.metadata.packages_distributions()
    brought = [{name.lower() for name in distributions[module]} for module in EXTRAS[extra]]
    # Every module is of a required distribution, and every one of these has a module.
    assert all(required & names for names in brought)
    assert required <= set().union(*brought)


@pytest.mark.parametrize(
    ("module", "preferred", "extra"),
    [
        ("yaml", "zoo", "zoo"),
        ("yaml", "export", "export"),
        ("official.vision.ops", "export", "zoo"),
        ("ai_edge_litert", "zoo", "export"),
        ("lambda_keras.zoo.nothing", "zoo", None),
        (None, "zoo", None),
    ],
)
def test_the_extra_of_a_module(module, preferred, extra):
    assert missing_extra(module, preferred) == extra


def test_a_missing_extra_is_one_line(capsys):
    def command():
        raise ModuleNotFoundError("No module named 'yaml'", name="yaml")

    assert run("lambda-export", command) == 2
    line = "lambda-export: this needs the extra export: pip install 'lambda-keras[export]' (No module named 'yaml')\n"
    assert capsys.readouterr() == ("", line)


def test_another_missing_module_keeps_its_traceback():
    def command():
        import lambda_keras.zoo.nothing  # noqa: F401

    with pytest.raises(ModuleNotFoundError, match="nothing"):
        run("lambda-zoo", command)
