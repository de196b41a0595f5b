"""The commands in shell blocks of README and docs: all have options that exist, and what can run here runs in order."""

import pathlib
import re
import shlex
import shutil
import subprocess

import keras
import pytest

import lambda_keras as lk
from lambda_keras.export import cli as export_cli
from lambda_keras.export.checks import benchmark
from lambda_keras.zoo import cli as zoo_cli
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.evaluation.run import evaluate

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAINS = {"lambda-zoo": zoo_cli.main, "lambda-export": export_cli.main}
# Pages whose commands run one after the other in one folder, as a reader types them who has read no other page. Those
# of docs/index.md are of README.
RUN = [
    "README.md",
    "docs/weights.md",
    "docs/training.md",
    "docs/serving.md",
    "docs/phones.md",
    "docs/transfer.md",
    "docs/explaining.md",
    "docs/semi_supervised.md",
]
# The training that most of them begin with; it is run once.
DIGITS = "lambda-zoo train --recipe digits --out runs/digits"
# Words of commands that do not run here, and what they need.
NEEDS = {
    "--model lambda_resnet50ts": "a network",
    "predict lambda_resnet50ts": "a network",
    "evaluate lambda_resnet50ts": "a network and ImageNet",
    "--model lambda_resnet26t": "a network",
    "weights fetch": "a network",
    "weights verify lambda_resnet26t": "a network",
    "my_recipe.yaml": "a recipe of the reader's",
    "~/": "data of the reader's",
    "/shared/": "data of the reader's",
    "runs/lambda_resnet152_224": "a training with ImageNet",
    "multi_worker": "several processes; tests/zoo/training/test_worker_faults.py starts them",
    "lambda_resnet152_224 --strategy": "ImageNet and several devices",
    "runs/flowers": "photographs of flowers",
    "runs/pictures": "photographs, and a network",
    "runs/colour": "half a minute; docs/transfer.md has such a fine-tuning, zoo/fine_tuning/test_run.py one in colour",
    "web": "packages of npm; tests/export/web/test_page.py runs it",
}
# Arguments that make a training short; that of the classifier alone is tested in zoo/fine_tuning/test_run.py.
SHORTER = {
    "train": ["training.epochs=1", "training.warmup_epochs=0", "training.batch_size=128", "data.image_size=16"],
    "fine-tune": ["--epochs=1", "--head-epochs=0", "training.batch_size=128", "data.image_size=16"],
}


def commands(page):
    """The commands of this project in a page's shell blocks, as lists of words from `lambda-…` on, and where it is
    installed those of unzip, which reads what they wrote.
    """
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            starts = [index for index, word in enumerate(words) if pathlib.Path(word).name in MAINS]
            if starts:
                yield words[starts[0] :]
            elif words[:1] == ["unzip"] and shutil.which("unzip"):
                yield ["sh", "-c", line]


def parse(program, arguments):
    if pathlib.Path(program).name == "lambda-zoo":
        zoo_cli._parse(arguments)
    elif pathlib.Path(program).name == "lambda-export":
        export_cli._parser().parse_args(arguments)


def run(program, arguments):
    """Runs a command, one of this project in this process, and returns its status."""
    if program in MAINS:
        return MAINS[program](arguments)
    return subprocess.run([program, *arguments]).returncode


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_exist(page):
    for program, *arguments in commands(page):
        parse(program, arguments)  # a UserError names what is wrong


def test_make_has_the_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"^make (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"\n{target}:" in makefile, f"{page.name}: make {target}"


def can_run(name, words):
    if "--dry-run" in words:
        return words[-2:] == ["--replicas", "8"]  # Of a large network, half a minute each: once is enough.
    line = " ".join(words)
    return not any(need in (line if " " in need or "/" in need else words) for need in NEEDS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the reader has: a picture, and the weights that a Python block of docs/weights.md writes."""
    folder = tmp_path_factory.mktemp("files")
    keras.utils.save_img(folder / "seven.png", digits.load_arrays()[0][17], scale=False)
    lk.create_model("lambda_resnet_tiny").save_weights(folder / "author.weights.h5")
    return folder


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """The folder in which the training that most pages begin with was run, as it is typed there."""
    folder = tmp_path_factory.mktemp("digits_run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        program, *arguments = DIGITS.split()
        assert MAINS[program](arguments) == 0
    return folder


@pytest.mark.slow
def test_the_training_of_the_digits_reaches_97_percent_on_the_test_split(digits_run, tmp_path):
    assert evaluate(digits_run / "runs" / "digits", out=tmp_path).top_1 >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_they_run(name, files, digits_run, tmp_path, monkeypatch, capfd):
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, "ROUNDS", 3)
    for program, *arguments in [words for words in commands(ROOT / name) if can_run(name, words)]:
        if [program, *arguments] == DIGITS.split():
            shutil.copytree(digits_run, tmp_path, dirs_exist_ok=True)
            continue
        # To build a network of 152 layers takes half a minute.
        shorter = ["model.name=lambda_resnet50"] if "--dry-run" in arguments else SHORTER.get(arguments[0], [])
        status = run(program, [*arguments, *shorter])
        assert status == 0, f"{shlex.join(arguments)}: {capfd.readouterr().err[-2000:]}"
