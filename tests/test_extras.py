"""Each extra alone does what docs/install.md says, and what it cannot do ends in one line that names the other.

The environments are real, but made without a network: a folder with links to what the requirements of an extra bring,
and to what these require in turn, as installed here.
"""

import importlib.metadata
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

    def run(self, *arguments):
        """Runs `python -m lambda_keras.<arguments>` in an empty folder."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run(
            [self.python, "-m", *map(str, arguments)], cwd=self.work, env=environment, capture_output=True, text=True
        )

    def check(self, *arguments):
        process = self.run(*arguments)
        assert process.returncode == 0, process.stderr[-4000:]
        return process.stdout

    def check_missing(self, extra, *arguments):
        process = self.run(*arguments)
        assert process.returncode == 2, process.stderr[-4000:]
        # TensorFlow may have spoken before.
        assert f"this needs the extra {extra}: pip install 'lambda-keras[{extra}]' (" in process.stderr
        assert "Traceback" not in process.stderr


@pytest.fixture
def environment(request, tmp_path):
    return Environment(tmp_path / "environment", request.param)


ZOO = "lambda_keras.zoo"
EXPORT = "lambda_keras.export"
DIGITS = ("--model", "lambda_resnet_tiny.digits")


@pytest.mark.parametrize("environment", [()], indirect=True, ids=["none"])
def test_the_library_alone(environment):
    script = "import lambda_keras as lk; print(lk.create_model('lambda_resnet_tiny', weights='digits').count_params())"
    (environment.work / "library.py").write_text(script)
    assert int(environment.check("library").splitlines()[-1]) > 100_000
    assert "lambda_resnet_tiny" in environment.check(ZOO, "models")
    environment.check_missing("zoo", ZOO, "recipes")
    environment.check_missing("zoo", ZOO, "train", "--recipe", "digits")
    environment.check_missing("export", EXPORT, "saved-model", *DIGITS, "--out", "served")


@pytest.mark.parametrize("environment", [("zoo",)], indirect=True, ids=["zoo"])
def test_zoo_alone(environment):
    assert "lambda_resnet_tiny" in environment.check(ZOO, "models")
    assert "digits" in environment.check(ZOO, "recipes")
    assert "accuracy" in environment.check(
        ZOO, "train", "--recipe", "digits", "training.epochs=1", "training.warmup_epochs=0"
    )
    environment.check_missing("export", EXPORT, "saved-model", *DIGITS, "--out", "served")


@pytest.mark.parametrize("environment", [("export",)], indirect=True, ids=["export"])
def test_export_alone(environment):
    environment.check(EXPORT, "saved-model", *DIGITS, "--warmup", "1", "--out", "served")
    environment.check(EXPORT, "tflite", *DIGITS, "--out", "digits.tflite")
    assert "450 images" in environment.check(EXPORT, "verify", *DIGITS, "--data", "digits", "served", "digits.tflite")
    environment.check_missing("zoo", ZOO, "train", "--recipe", "digits")
