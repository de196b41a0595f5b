"""Each extra alone does what docs/install.md says, and what it cannot do ends in one line that names the other.

The environments are real, but made without a network: a folder with links to what the requirements of an extra bring,
and to what these require in turn, as installed here.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lambda_keras.export import cli as export_cli
from lambda_keras.zoo import cli as zoo_cli

PACKAGE = "lambda-keras"
# Those of the environment: the checkout may hold an .egg-info, which knows of no editable installation.
INSTALLED = {
    canonicalize_name(distribution.name): distribution
    for distribution in importlib.metadata.distributions(path=[sysconfig.get_paths()["purelib"]])
}
pytestmark = [pytest.mark.process, pytest.mark.slow]


def required(name, extras, found):
    """Collects a distribution and all that it requires with these extras: name to the extras asked for so far."""
    key = canonicalize_name(name)
    new = {"", *extras} - found.get(key, set())
    if not new:
        return
    found[key] = found.get(key, set()) | new
    for line in INSTALLED[key].requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in new):
            required(requirement.name, requirement.extras, found)


SCRIPT = """
import contextlib, io, json, runpy, sys, traceback

results, commands = sys.argv[1], json.loads(sys.argv[2])
outcomes = []
for module, *arguments in commands:
    sys.argv, output, errors = [module, *arguments], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            status = 1
            traceback.print_exc()
    outcomes.append([status, output.getvalue(), errors.getvalue()])
with open(results, "w") as file:
    json.dump(outcomes, file)
"""


class Environment:
    """A virtual environment with lambda-keras and one of its extras."""

    def __init__(self, folder, extras):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        found = {}
        required(PACKAGE, extras, found)
        for name in found:
            for file in INSTALLED[name].files:
                link = site / file.parts[0]
                # Scripts are in `../../bin`.
                if file.parts[0] not in ("..", "__pycache__") and not link.exists():
                    link.symlink_to(INSTALLED[name].locate_file(file.parts[0]))
        self.python = folder / "bin" / "python"
        self.work = folder / "work"
        self.work.mkdir()

    def run(self, *commands):
        """Runs commands `lambda_keras.<room> …` in an empty folder, as `python -m` does.

        All in one process, which imports TensorFlow once. Returns for each its status, stdout and stderr.
        """
        results = self.work / "results.json"
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        arguments = [self.python, "-c", SCRIPT, results, json.dumps([[*map(str, command)] for command in commands])]
        process = subprocess.run(arguments, cwd=self.work, env=environment, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-4000:]
        return json.loads(results.read_text())


@pytest.fixture
def environment(request, tmp_path):
    return Environment(tmp_path / "environment", request.param)


ZOO = "lambda_keras.zoo"
EXPORT = "lambda_keras.export"
DIGITS = ("--model", "lambda_resnet_tiny.digits")
ROOMS = {"lambda-zoo": ZOO, "lambda-export": EXPORT}
# A line for each command, and the files that must be there before it imports what it needs; empty ones are enough.
LINES = """
lambda-zoo train --recipe digits
lambda-zoo fine-tune --data digits --model lambda_resnet_tiny --weights none --out out
lambda-zoo evaluate lambda_resnet_tiny.digits
lambda-zoo predict lambda_resnet_tiny.digits a.png
lambda-zoo explain lambda_resnet_tiny.digits a.png --out out
lambda-zoo detect train --recipe stamps --data data --out out
lambda-zoo detect evaluate run --data data
lambda-zoo detect predict run a.png --out out
lambda-zoo detect inspect-data --data data
lambda-zoo detect shards --data data --out out
lambda-zoo detect stamps --out out
lambda-zoo pseudo-label --teacher lambda_resnet_tiny.digits --data digits --out out
lambda-zoo pseudo-label select out --out chosen
lambda-zoo inspect-data --recipe digits
lambda-zoo write-images --dataset digits --out out
lambda-zoo write-record model.keras --mean 0.5 --std 0.5
lambda-zoo recipes
lambda-zoo models
lambda-zoo weights fetch lambda_resnet_tiny.digits
lambda-zoo weights verify lambda_resnet_tiny.digits
lambda-zoo weights show lambda_resnet_tiny.digits
lambda-zoo weights convert --model lambda_resnet_tiny start.weights.h5 out.safetensors
lambda-export saved-model --model lambda_resnet_tiny.digits --out served
lambda-export tflite --model lambda_resnet_tiny.digits --out digits.tflite
lambda-export detector --model run --out out
lambda-export verify --model lambda_resnet_tiny.digits --data digits a.tflite
lambda-export benchmark --out out a.tflite
lambda-export serve-check .
lambda-export web a.tflite --out page
""".strip().splitlines()
FILES = ("a.png", "a.tflite", "model.keras", "start.weights.h5")
# Those that need no extra.
NO_EXTRA = ("lambda-zoo models", "lambda-zoo weights fetch")
# Nine steps of a network with one lambda layer: what the training needs of packages is the same.
SHORT = (
    *("training.epochs=1", "training.warmup_epochs=0", "training.batch_size=128", "data.image_size=16"),
    *("model.overrides.blocks=[0,0,0,1]", "model.overrides.lambda_blocks=[[],[],[],[1]]"),
)


def assert_missing(extra, result):
    status, _, errors = result
    assert status == 2, errors[-4000:]
    # TensorFlow may have spoken before.
    assert f"this needs the extra {extra}: pip install 'lambda-keras[{extra}]' (" in errors
    assert "Traceback" not in errors


def output_of(result):
    status, output, errors = result
    assert status == 0, errors[-4000:]
    return output


def commands(parser):
    """The commands of a program, `lambda-zoo detect train` for one."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    found = {name for action in inner for choice in action.choices.values() for name in commands(choice)}
    return found | ({parser.prog} if parser.get_default("run") else set())


def test_each_command_has_a_line():
    for command in commands(zoo_cli._parser()) | commands(export_cli._parser()):
        assert any(f"{line} ".startswith(f"{command} ") for line in LINES), command


@pytest.mark.parametrize("environment", [()], indirect=True, ids=["none"])
def test_the_library_alone(environment):
    script = "import lambda_keras as lk; print(lk.create_model('lambda_resnet_tiny', weights='digits').count_params())"
    (environment.work / "library.py").write_text(script)
    for name in FILES:
        (environment.work / name).touch()
    words = [line.split() for line in LINES]
    library, *results = environment.run(["library"], *([ROOMS[program], *rest] for program, *rest in words))
    assert int(output_of(library).splitlines()[-1]) > 100_000
    for line, result in zip(LINES, results, strict=True):
        if line.startswith(NO_EXTRA):
            assert "lambda_resnet_tiny" in output_of(result)
        else:
            assert_missing(line.split()[0].removeprefix("lambda-"), result)


@pytest.mark.parametrize("environment", [("zoo",)], indirect=True, ids=["zoo"])
def test_zoo_alone(environment):
    models, recipes, train, export = environment.run(
        [ZOO, "models"],
        [ZOO, "recipes"],
        [ZOO, "train", "--recipe", "digits", *SHORT],
        [EXPORT, "saved-model", *DIGITS, "--out", "served"],
    )
    assert "lambda_resnet_tiny" in output_of(models)
    assert "digits" in output_of(recipes)
    assert "accuracy" in output_of(train)
    assert_missing("export", export)


@pytest.mark.parametrize("environment", [("export",)], indirect=True, ids=["export"])
def test_export_alone(environment):
    saved_model, tflite, verify, train = environment.run(
        [EXPORT, "saved-model", *DIGITS, "--warmup", "1", "--out", "served"],
        [EXPORT, "tflite", *DIGITS, "--out", "digits.tflite"],
        [EXPORT, "verify", *DIGITS, "--data", "digits", "served", "digits.tflite"],
        [ZOO, "train", "--recipe", "digits"],
    )
    output_of(saved_model)
    output_of(tflite)
    assert "450 images" in output_of(verify)
    assert_missing("zoo", train)
