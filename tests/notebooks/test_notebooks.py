"""The notebooks run from top to bottom in an empty folder, and are committed without outputs."""

import asyncio
import json
import os
import pathlib
import re
import shlex

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
names = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# Of a whole notebook: where it hangs, not how fast it is.
TIMEOUT_SECONDS = 600


def run(notebook, folder, kernel="warm"):
    """Run it in a kernel of its own, and return what it printed; the kernel `python3` is a fresh interpreter."""
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=None, kernel_name=kernel, resources=resources)
    asyncio.run(asyncio.wait_for(client.async_execute(), TIMEOUT_SECONDS))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output["text"] for output in outputs if "text" in output)
    # The commands of a notebook fail without an exception.
    assert "Traceback" not in printed
    assert not re.search("lambda-(zoo|export): ", printed), printed
    return printed


@pytest.fixture
def environment(monkeypatch, warm_python, tmp_path_factory):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    # The kernel and the commands of the environment that runs the tests, in warm processes: to import TensorFlow takes
    # each seconds.
    kernels = tmp_path_factory.mktemp("jupyter")
    specification = {"argv": [*warm_python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    (kernels / "kernels" / "warm").mkdir(parents=True)
    (kernels / "kernels" / "warm" / "kernel.json").write_text(
        json.dumps({**specification, "display_name": "warm", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    commands = tmp_path_factory.mktemp("commands")
    for command, module in (("lambda-zoo", "lambda_keras.zoo"), ("lambda-export", "lambda_keras.export")):
        (commands / command).write_text(f'#!/bin/sh\nexec {shlex.join(warm_python)} -m {module} "$@"\n')
        (commands / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["serving", "transfer_learning"]


@names
def test_outputs_are_stripped(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@names
def test_cells_import_only_the_library(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not re.search(r"lambda_keras(\.| import )(zoo|export)", cell.source), "type a command instead"


def test_what_they_install_in_colab_is_what_they_run_with():
    """Another extra may replace a package that Colab has imported, and then asks for a restart."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (tried,) = re.findall(r'tests/colab\.txt --editable "\.\[(.+),notebook,test\]"', makefile)
    for path in (*NOTEBOOKS, ROOT / "docs" / "install.md"):
        installed = re.findall(r"%pip install .*lambda-keras\[(.*?)\]", path.read_text(encoding="utf-8"))
        assert installed
        assert set(installed) == {tried}, path.name


def test_base64_is_not_said_to_depend_on_the_name_of_an_input():
    text = NOTEBOOKS[0].read_text(encoding="utf-8")
    assert "so base64 is decoded there" not in text
    assert "as any input of strings takes" in text


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_serving_runs(tmp_path):
    run(nbformat.read(NOTEBOOKS[0], as_version=4), tmp_path)
    assert (tmp_path / "fashion.tflite").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_transfer_learning_runs_and_its_last_cell_after_a_restart(tmp_path):
    notebook = nbformat.read(NOTEBOOKS[1], as_version=4)
    printed = run(notebook, tmp_path)
    assert "there is no record.json" not in printed
    assert all((tmp_path / name).exists() for name in ("digits.keras", "seen.png", "served/1", "digits.tflite"))

    notebook.cells = notebook.cells[-1:]
    differences = re.findall(r"largest difference of .*: (\S+)", run(notebook, tmp_path, "python3"))
    assert len(differences) == 2
    assert max(map(float, differences)) < 1e-4
