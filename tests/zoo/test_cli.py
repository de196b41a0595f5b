import os
import pty
import subprocess
import sys

import pytest

from lambda_keras.zoo.cli import main


def zoo(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "lambda_keras.zoo", *arguments], capture_output=True, text=True, cwd=cwd
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: command"),
        (["trane"], "invalid choice: 'trane'"),
        (["train"], "the following arguments are required: --recipe"),
        (["train", "--recipe", "digits", "--oout", "x"], "unrecognized arguments: --oout"),
        (["train", "training.epochs=1", "--recipe", "digits", "training.epochs=0"], "training.epochs must be greater"),
        (["recipes", "digits"], "unrecognized arguments: digits"),
        (["train", "--recipe", "digit"], "unknown recipe 'digit', did you mean 'digits'?"),
        (["train", "--recipe", "missing.yaml"], "no recipe file missing.yaml"),
        (["train", "--recipe", "digits", "training.epoch=3"], "unknown key training.epoch, did you mean 'epochs'?"),
        (["train", "--recipe", "digits", "model.name=lambda_resnet_tny"], "lambda_resnet_tiny"),
        (["train", "--recipe", "fashion_mnist", "--data-dir", "nowhere"], "no prepared dataset 'fashion_mnist'"),
        (["train", "--recipe", "digits", "--out", os.devnull], "cannot write to /dev/null"),
        (["models", "vgg*"], "no model matches 'vgg*'"),
        (["models", "resnet_rs*", "--pretrained"], "no model with published weights matches 'resnet_rs*'"),
        (["weights"], "the following arguments are required: action"),
        (["weights", "show", "lambda_resnet50"], "no weights of lambda_resnet50 are published; for its warm start"),
        (["weights", "convert", "lambda_resnet50"], "the following arguments are required: --model, OUT"),
        (["evaluate", "nowhere"], "no such file: nowhere"),
        (["evaluate", ".", "--split", "tset"], "invalid choice: 'tset'"),
        (["evaluate", ".", "--image-size", "large"], "invalid int value: 'large'"),
        (["predict", "nowhere", os.devnull], "no such file: nowhere; a model is a .keras file"),
        (["predict", "lambda_resnet50", os.devnull], "lambda_resnet50 is an architecture only"),
        (["predict", "model.keras"], "the following arguments are required: IMAGE"),
    ],
)
def test_user_errors_are_one_line_and_status_2(arguments, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lambda-zoo: ")
    assert expected in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_who_waits_before_a_terminal_is_told_at_once():
    terminal, end = pty.openpty()
    quick = [sys.executable, "-m", "lambda_keras.zoo", "models"]
    # It writes nothing, or that would be read first.
    assert subprocess.run(quick, stdout=subprocess.DEVNULL, stderr=end).returncode == 0
    for options, starts in (([], b"starting; TensorFlow takes a few seconds\r\n"), (["-q"], b"")):
        command = [sys.executable, "-m", "lambda_keras.zoo", "predict", "model", "no.png", *options]
        assert subprocess.run(command, stdout=subprocess.DEVNULL, stderr=end).returncode == 2
        assert os.read(terminal, 1000) == starts + b"lambda-zoo: no such file: no.png\r\n"


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken():
        raise KeyError("a bug")

    monkeypatch.setattr("lambda_keras.zoo.recipe_file.packaged", broken)
    with pytest.raises(KeyError, match="a bug"):
        main(["recipes"])


@pytest.mark.parametrize("command", [["models"], ["recipes"], ["weights", "show", "lambda_resnet_tiny.digits"]])
def test_lists_are_results_that_quiet_leaves_alone(command, capsys):
    printed = []
    for options in (["-q"], []):
        assert main([*command, *options]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != ""


def test_recipes_lists_the_packaged_ones(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["recipe", "model", "image", "size", "dataset", "expected", "test", "accuracy"]
    assert any(line.split()[:4] == ["digits", "lambda_resnet_tiny", "32", "digits"] for line in lines)
    assert any(
        line.split()[:5] == ["lambda_resnet152_224", "lambda_resnet152", "224", "imagenet2012", "83.2"]
        for line in lines
    )


@pytest.mark.process
def test_in_a_process_of_its_own_stderr_is_the_one_line(tmp_path):
    result = zoo("train", "--recipe", "digits", "model.overrides.key_dm=3", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("lambda-zoo: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["train", "--help"], "--recipe"),
        (["models"], "lambda_resnet50ts"),
        (["models", "--pretrained"], "% top-1"),
        (["recipes"], "fashion_mnist"),
    ],
)
def test_help_and_lists_import_nothing_heavy(arguments, printed):
    command = [sys.executable, "-X", "importtime", "-m", "lambda_keras.zoo", *arguments]
    process = subprocess.run(command, text=True, capture_output=True, check=True)
    assert printed in process.stdout
    imported = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "lambda_keras.zoo.cli" in imported
    assert not {"tensorflow", "keras", "numpy", "matplotlib", "sklearn"} & imported
