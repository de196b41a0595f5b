"""The wheel: what it holds, and that it works in an environment of its own, from another folder."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from packaging.version import Version

pytestmark = pytest.mark.process
ROOT = pathlib.Path(__file__).parent.parent
# The folders at the top of the repository, and under which name each is installed.
INSTALLED = {
    "lambda_keras": ("lambda_keras",),
    "zoo": ("lambda_keras", "zoo"),
    "export": ("lambda_keras", "export"),
}
# What others call as our folders, and what a user may have in the folder where he works.
NOT_OURS = ("zoo/__init__.py", "export/__init__.py", "export.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the checkout stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    skip = shutil.ignore_patterns(".venv*", ".git", "build", "runs", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=skip)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, source], check=True, capture_output=True
    )
    return next(folder.glob("*.whl"))


def test_setup_cfg_lists_every_package():
    """The list is written by hand: setuptools does not find packages in folders that are elsewhere."""
    configuration = configparser.ConfigParser()
    configuration.read(ROOT / "setup.cfg")
    folders = {
        ".".join(INSTALLED[room] + folder.parent.relative_to(ROOT / room).parts)
        for room in INSTALLED
        for folder in (ROOT / room).rglob("__init__.py")
    }
    assert set(configuration["options"]["packages"].split()) == folders


def test_the_oldest_versions_are_the_lower_bounds_of_setup_cfg():
    """`make test-oldest` installs them."""
    configuration = configparser.ConfigParser()
    configuration.read(ROOT / "setup.cfg")
    bounds = re.findall(r"^(\w+)>=([\d.]+)", configuration["options"]["install_requires"], flags=re.MULTILINE)
    oldest = re.findall(r"^(\w+)==([\d.]+)", (ROOT / "tests" / "oldest.txt").read_text(), flags=re.MULTILINE)
    assert len(bounds) == 6
    assert {name: Version(version) for name, version in oldest} == {name: Version(bound) for name, bound in bounds}


def test_the_wheel_holds_the_three_rooms_with_their_data_under_one_name_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"lambda_keras"}
    tracked = [
        "/".join(INSTALLED[room] + path.relative_to(ROOT / room).parts)
        for room in INSTALLED
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert sorted(tracked) == sorted(name for name in names if ".dist-info" not in name)


def test_the_core_needs_six_packages_and_no_more(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    required = [line.split(": ")[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    core = {name.split(">")[0] for name in required if "extra ==" not in name}
    assert {name.split("=")[0].split("<")[0].strip() for name in core} == {
        "keras",
        "tensorflow",
        "numpy",
        "safetensors",
        "huggingface_hub",
        "pooch",
    }


def test_the_wheel_works_beside_other_packages_named_zoo_and_export(wheel, tmp_path):
    """In an environment and a working folder that have packages, and a file, of the names of our folders."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies are those installed here, found through a path file; the package is the wheel's alone.
    find_site = [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    site = pathlib.Path(subprocess.check_output(find_site, text=True).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    work = tmp_path / "work"
    for folder in (site, work):
        for file in NOT_OURS:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("raise SystemExit('a file that is not ours was imported')\n")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*command):
        return subprocess.check_output([str(part) for part in command], cwd=work, env=environment, text=True)

    script = """
import pathlib, sys
import lambda_keras, lambda_keras.zoo, lambda_keras.export
here = pathlib.Path(sys.argv[1])
rooms = (lambda_keras, lambda_keras.zoo, lambda_keras.export)
assert all(here in pathlib.Path(room.__file__).parents for room in rooms)
print(lambda_keras.create_model("lambda_resnet_tiny").count_params())
"""
    assert int(run(python, "-c", script, site)) == 101_098
    printed = run(python, "-m", "lambda_keras.zoo", "recipes")
    for recipe in (ROOT / "zoo" / "recipes").glob("*.yaml"):
        assert recipe.stem in printed
    model = ("--model", "lambda_resnet_tiny.digits", "--out", work / "served")
    assert "wrote" in run(site.parents[2] / "bin" / "lambda-export", "saved-model", *model)
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "uninstall", "--yes", "lambda-keras"], check=True)
    assert all((site / file).is_file() for file in NOT_OURS)


def test_commands_are_installed(run_python):
    printed = run_python(
        "from importlib.metadata import entry_points\n"
        "print(sorted(e.name for e in entry_points(group='console_scripts') if e.name.startswith('lambda-')))",
        cold=True,
    )
    assert printed.strip() == "['lambda-export', 'lambda-zoo']"
