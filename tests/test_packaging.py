"""The wheel: what it holds, and that it works in an environment of its own, from another folder."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent


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


def test_the_wheel_holds_the_three_rooms_with_their_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"lambda_keras", "zoo", "export"}
    tracked = [
        path.relative_to(ROOT).as_posix()
        for room in ("lambda_keras", "zoo", "export")
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


def test_the_wheel_works_in_another_environment_and_folder(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies are those installed here, found through a path file; the package is the wheel's alone.
    find_site = [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    site = pathlib.Path(subprocess.check_output(find_site, text=True).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    script = """
import pathlib, sys
import lambda_keras, zoo, export
here = pathlib.Path(sys.argv[1])
assert all(here in pathlib.Path(room.__file__).parents for room in (lambda_keras, zoo, export))
print(lambda_keras.create_model("lambda_resnet_tiny").count_params())
from zoo.cli import main
sys.exit(main(["recipes"]))
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    printed = subprocess.check_output([python, "-c", script, site], cwd=tmp_path, env=environment, text=True)
    for recipe in (ROOT / "zoo" / "recipes").glob("*.yaml"):
        assert recipe.stem in printed


def test_commands_are_installed(run_python):
    printed = run_python(
        "from importlib.metadata import entry_points\n"
        "print(sorted(e.name for e in entry_points(group='console_scripts') if e.name.startswith('lambda-')))"
    )
    assert printed.strip() == "['lambda-export', 'lambda-zoo']"
