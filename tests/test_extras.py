"""Each extra alone does what docs/install.md says, and what it cannot do ends in one line that names the other.

The environments are real, but made without a network: a folder with links to what the requirements of an extra bring,
and to what these require in turn, as installed here.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@pytest.mark.parametrize("environment", [()], indirect=True, ids=["none"])
def test_the_library_alone(environment):
    script = "import lambda_keras as lk; print(lk.create_model('lambda_resnet_tiny', weights='digits').count_params())"
    (environment.work / "library.py").write_text(script)
    library, models, *missing, export = environment.run(
        ["library"],
        [ZOO, "models"],
        [ZOO, "recipes"],
        [ZOO, "train", "--recipe", "digits"],
        [EXPORT, "saved-model", *DIGITS, "--out", "served"],
    )
    assert int(output_of(library).splitlines()[-1]) > 100_000
    assert "lambda_resnet_tiny" in output_of(models)
    for command in missing:
        assert_missing("zoo", command)
    assert_missing("export", export)


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
