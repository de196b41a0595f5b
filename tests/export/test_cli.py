"""The commands as they are typed, each in a process of its own where that can matter."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.export import cli
from lambda_keras.export.saved_model import writer
from lambda_keras.export.tflite.delegation import operations_outside_xnnpack
from lambda_keras.weights import Preprocessor

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, "-m", "lambda_keras.export", *arguments]
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)


def check_one_line(status, error, *words):
    assert status == 2
    assert error.startswith("lambda-export: ")
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def verdicts(capsys):
    """The last column of what `verify` printed of the model and of each artifact."""
    comparisons = capsys.readouterr().out.split("\n\n")[0].splitlines()
    return [row.split()[-1] for row in comparisons if not row.startswith("wrote")][2:]


def test_export_and_verify(plain_model, plain_file, arrays, tmp_path, capsys):
    """The whole of what is printed; the model is small, and nothing but its size is."""
    arrays = {**arrays, "images": arrays["images"][:, ::4, ::4], "labels": arrays["labels"] % 3}
    np.savez(tmp_path / "test.npz", **arrays)
    assert cli.main(["saved-model", "--model", str(plain_file), "--out", f"{tmp_path}/saved_model"]) == 0
    assert cli.main(["tflite", "--model", str(plain_file), "--out", f"{tmp_path}/model.tflite"]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/saved_model/1\nwrote {tmp_path}/model.tflite\n"

    artifacts = [f"{tmp_path}/saved_model", f"{tmp_path}/model.tflite"]
    assert cli.main(["verify", "--model", str(plain_file), "--data", f"{tmp_path}/test.npz", *artifacts]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    images = (arrays["images"] / 255 - arrays["mean"]) / arrays["std"]
    accuracy = np.mean(plain_model.predict(images, verbose=0).argmax(-1) == arrays["labels"])
    comparisons, costs, meaning = (part.splitlines() for part in printed.out.split("\n\n"))
    header, _, original, *rows = comparisons
    assert header.split()[:3] == ["artifact", "largest", "difference"]
    assert original.split() == [str(plain_file), "-", "-", "-", f"{accuracy:.2%}", "-"]
    newest = [str(tmp_path / "saved_model" / "1"), str(tmp_path / "model.tflite")]
    for row, artifact in zip(rows, newest, strict=True):
        name, largest, mean, agreement, accuracy_of_artifact, verdict = row.split()
        assert name == artifact
        assert 0 <= float(mean) <= float(largest) <= 1e-5
        assert (agreement, accuracy_of_artifact, verdict) == ("100.00%", f"{accuracy:.2%}", "pass")
    assert [row.split()[0] for row in costs[2:]] == [str(plain_file), *newest]
    assert meaning[0] == (
        "37 images; artifacts ran in fresh processes without keras and lambda_keras, one for each runtime."
    )
    assert meaning[3].startswith(f"operations outside XNNPACK in {newest[1]}: ")
    assert meaning[4:] == [
        "37 images are too few to see such a loss of accuracy: one is 2.7 points; give at least 200 with --data",
        "quantization none: a probability may differ by up to 0.0001, the accuracy be up to 0.50 points lower; "
        "90% of the classes must agree",
    ]


def test_int8_from_a_folder_of_images(digits_run, digits_folder, tmp_path, capfd):
    """The folder of a run has a record: it says how files become images, and goes into the file."""
    out = tmp_path / "model.tflite"
    arguments = ["--model", digits_run, "--out", out, "--quantize", "int8", "--calibration", digits_folder]
    assert cli.main(["tflite", *map(str, arguments), "--calibration-images", "48", "--batch", "16"]) == 0
    out_and_err = capfd.readouterr()
    assert "single_machine" not in out_and_err.err, "TensorFlow's own reports are hidden"
    printed = out_and_err.out.splitlines()
    assert printed[0] == "calibrated with 48 images, checked with 12 others"
    assert [line.split(":")[0] for line in printed[1:3]] == ["input", "logits"]
    assert printed[3] == f"wrote {out}"
    assert zipfile.ZipFile(out).read("labels.txt").split() == [b"%d" % digit for digit in range(10)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--quantize", "int8"], "--quantize int8 needs --calibration"),
        (["--quantize", "int8", "--calibration", "missing.npz"], "no such file: missing.npz"),
        (["--quantize", "int8", "--calibration", "DATA", "--calibration-images", "3"], "at least 32, got 3"),
        (["--quantize", "int4"], "invalid choice: 'int4'"),
        (["--data-dir", "."], "--data-dir is for --calibration, which is missing"),
        (["--calibration-images", "200"], "--calibration-images is for --calibration, which is missing"),
        (["--batch", "0"], "--batch must be 1 to 65,536, got 0"),
        (["--batch", "999999999"], "--batch must be 1 to 65,536, got 999999999"),
    ],
)
def test_options_that_do_not_fit_are_one_line(plain_run, data_file, options, words, tmp_path, capsys):
    options = [str(data_file) if option == "DATA" else option for option in options]
    status = cli.main(["tflite", "--model", str(plain_run), "--out", f"{tmp_path}/model.tflite", *options])
    check_one_line(status, capsys.readouterr().err, words)
    assert os.listdir(tmp_path) == []


def test_a_run_is_verified_with_raw_images(run_of_model, server_model, data_file, tmp_path, capsys):
    """In both forms: as it is, and with all that can be asked for."""
    options = ["--fuse", "--freeze", "--features"]
    assert cli.main(["saved-model", "--model", str(run_of_model), "--out", f"{tmp_path}/out", *options]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/out/1\n"
    assert (tmp_path / "out" / "1" / "model.json").is_file()
    artifacts = [str(server_model), f"{tmp_path}/out"]
    assert cli.main(["verify", "--model", str(run_of_model), "--data", str(data_file), *artifacts]) == 0
    assert verdicts(capsys) == ["-", "pass", "pass"]


@pytest.mark.parametrize("command", ["verify", "benchmark"])
def test_a_record_of_another_model_is_one_line(command, plain_file, record, tflite, data_file, tmp_path, capsys):
    shutil.copy(plain_file, tmp_path / "model.keras")
    record.write(tmp_path / "record.json")
    options = {"verify": ["--data", str(data_file)], "benchmark": ["--out", f"{tmp_path}/out"]}[command]
    status = cli.main([command, "--model", str(tmp_path), *options, str(tflite)])
    check_one_line(status, capsys.readouterr().err, "the record of", "is of another model: it has 3 channels and 10")


def test_a_dataset_verifies_artifacts_for_another_image_size(digits_run, tmp_path, capsys):
    """Nothing but the model is needed: the images are the test part, prepared as the record says."""
    form = ["--model", str(digits_run), "--image-size", "20"]
    assert cli.main(["saved-model", *form, "--out", f"{tmp_path}/out"]) == 0
    assert cli.main(["tflite", *form, "--out", f"{tmp_path}/model.tflite"]) == 0
    artifacts = [f"{tmp_path}/out", f"{tmp_path}/model.tflite"]
    assert cli.main(["verify", *form, "--data", "digits", *artifacts]) == 0
    printed = capsys.readouterr().out
    assert "\n450 images; " in printed
    assert [row.split()[-1] for row in printed.splitlines()[4:7]] == ["-", "pass", "pass"]


def test_a_folder_of_pictures_verifies_an_artifact(digits_run, digits_folder, quantized, capsys):
    arguments = ["--model", digits_run, "--data", digits_folder, quantized["none"]]
    assert cli.main(["verify", *map(str, arguments)]) == 0
    printed = capsys.readouterr().out
    assert "\n60 images; " in printed
    assert [row.split()[-1] for row in printed.splitlines()[2:4]] == ["-", "pass"]


def test_an_artifact_of_another_normalisation_is_one_line(digits_run, digits_record, quantized, tmp_path, capsys):
    shutil.copytree(digits_run, tmp_path / "run")
    digits_record.with_preprocessing(mean=(0.5,)).write(tmp_path / "run" / "record.json")
    arguments = ["--model", tmp_path / "run", "--data", "digits", quantized["none"]]
    status = cli.main(["verify", *map(str, arguments)])
    check_one_line(status, capsys.readouterr().err, "none.tflite has mean [0.305]", "record [0.5]")


def test_tflite_of_another_form(run_of_model, tmp_path):
    """Fused, for larger images: XNNPACK leaves nothing outside."""
    arguments = [
        "--model",
        run_of_model,
        "--fuse",
        "--image-size",
        "36",
        "--batch",
        "1",
        "--out",
        tmp_path / "a.tflite",
    ]
    assert cli.main(["tflite", *map(str, arguments)]) == 0
    assert not operations_outside_xnnpack(tmp_path / "a.tflite")
    (details,) = Interpreter(model_path=f"{tmp_path}/a.tflite").get_input_details()
    assert details["shape"].tolist() == [1, 36, 36, 3]


@pytest.mark.parametrize("count", ["0", "334"])
def test_a_count_of_warmup_requests_out_of_bounds_is_one_line(plain_run, tmp_path, count, capsys):
    arguments = ["--model", str(plain_run), "--out", f"{tmp_path}/out", "--warmup", count]
    check_one_line(cli.main(["saved-model", *arguments]), capsys.readouterr().err, "--warmup must be 1 to 333", count)
    assert os.listdir(tmp_path / "out") == []


def test_a_missing_folder_of_versions_is_one_line(tmp_path, capsys):
    status = cli.main(["serve-check", f"{tmp_path}/missing"])
    check_one_line(status, capsys.readouterr().err, "no such folder", "missing")


def test_an_image_size_that_is_none_is_one_line(plain_run, tmp_path, capsys):
    arguments = ["--model", str(plain_run), "--out", f"{tmp_path}/out", "--image-size", "0"]
    check_one_line(cli.main(["saved-model", *arguments]), capsys.readouterr().err, "image_size", "0")
    assert os.listdir(tmp_path) == []


def test_a_different_artifact_gives_exit_status_1(model, model_file, data_file, tflite, tmp_path, capsys):
    kernel = model.layers[-1].kernel
    original = kernel.numpy()
    try:
        kernel.assign(original[:, ::-1])
        model.save(tmp_path / "other.keras")
    finally:
        kernel.assign(original)
    arguments = ["--model", tmp_path / "other.keras", "--data", data_file, tflite]
    assert cli.main(["verify", *map(str, arguments)]) == 1
    assert verdicts(capsys) == ["-", "FAIL"]


def test_other_sources_of_a_model(model, arrays, tmp_path, capsys):
    """A shared folder, and an architecture with its weights: the artifact of one is verified with both."""
    lk.save_pretrained(model, tmp_path / "shared", Preprocessor(model.input_shape[1]))
    np.savez(tmp_path / "test.npz", **{**arrays, "mean": np.float32(IMAGENET_MEAN), "std": np.float32(IMAGENET_STD)})
    shared = ["--model", f"{tmp_path}/shared"]
    architecture = ["--model", "lambda_resnet_tiny", "--weights", f"{tmp_path}/shared"]
    assert cli.main(["tflite", *shared, "--out", f"{tmp_path}/model.tflite"]) == 0
    for source in (shared, architecture):
        capsys.readouterr()
        assert cli.main(["verify", *source, "--data", f"{tmp_path}/test.npz", f"{tmp_path}/model.tflite"]) == 0
        comparisons, costs, _ = capsys.readouterr().out.split("\n\n")
        _, _, original, _ = costs.splitlines()
        # What is made of an architecture has no file whose size could be shown.
        assert ("MB" in original) == (source == shared)
        assert comparisons.endswith("pass")


def test_a_model_without_weights_is_one_line(tmp_path, capsys):
    status = cli.main(["saved-model", "--model", "lambda_resnet50", "--out", f"{tmp_path}/out"])
    check_one_line(status, capsys.readouterr().err, "lambda_resnet50 is an architecture only", "--weights")


def test_a_missing_model_is_one_line(tmp_path, capsys):
    status = cli.main(["saved-model", "--model", f"{tmp_path}/missing.keras", "--out", f"{tmp_path}/out"])
    check_one_line(status, capsys.readouterr().err, "no such file", "missing.keras")
    assert os.listdir(tmp_path) == []


def test_a_text_file_as_model_is_one_line(tmp_path, capsys):
    (tmp_path / "text.keras").write_text("hello")
    status = cli.main(["saved-model", "--model", f"{tmp_path}/text.keras", "--out", f"{tmp_path}/out"])
    check_one_line(status, capsys.readouterr().err, "text.keras is not a Keras model file")


@pytest.mark.parametrize(("command", "out"), [("saved-model", "out"), ("tflite", "out.tflite")])
def test_a_model_with_code_in_it_is_one_line(tmp_path, command, out, capsys):
    """A `.keras` file from elsewhere is data: what would have to run is refused."""
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Lambda(lambda x: 2 * x)(keras.layers.GlobalAveragePooling2D()(inputs))
    keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x)).save(tmp_path / "code.keras")
    status = cli.main([command, "--model", f"{tmp_path}/code.keras", "--out", f"{tmp_path}/{out}"])
    check_one_line(status, capsys.readouterr().err, "code.keras", "keras.layers.Lambda")
    assert os.listdir(tmp_path) == ["code.keras"]


def test_an_unwritable_place_is_one_line(plain_run, tmp_path):
    """A file in the place of a folder, where not even root may write; TensorFlow has been loaded and is silent."""
    (tmp_path / "file").write_text("")
    process = run("tflite", "--model", plain_run, "--out", tmp_path / "file" / "model.tflite")
    check_one_line(process.returncode, process.stderr, "cannot write to", str(tmp_path / "file"))


def test_incomplete_data_is_one_line(plain_file, arrays, tflite, tmp_path, capsys):
    np.savez(tmp_path / "part.npz", images=arrays["images"])
    arguments = ["--model", plain_file, "--data", tmp_path / "part.npz", tflite]
    status = cli.main(["verify", *map(str, arguments)])
    check_one_line(status, capsys.readouterr().err, "lacks labels, mean, std")


def test_a_missing_artifact_is_one_line(model_file, data_file, tmp_path, capsys):
    arguments = ["--model", model_file, "--data", data_file, tmp_path / "missing.tflite"]
    status = cli.main(["verify", *map(str, arguments)])
    check_one_line(status, capsys.readouterr().err, "no such artifact", "missing.tflite")


def test_a_wrong_option_is_one_line(capsys):
    status = cli.main(["tflite", "--modle", "model.keras"])
    check_one_line(status, capsys.readouterr().err, "required: --model, --out (see lambda-export tflite --help)")


def test_help_does_not_import_tensorflow():
    command = [sys.executable, "-X", "importtime", "-m", "lambda_keras.export", "--help"]
    process = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "lambda_keras.export.cli" in imported
    assert not {"tensorflow", "keras", "numpy"} & imported


def test_a_bug_keeps_its_traceback(plain_file, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr("lambda_keras.export.saved_model.writer.export_saved_model", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["saved-model", "--model", str(plain_file), "--out", str(tmp_path)])


def test_sigterm_leaves_nothing_half_written(plain_run, tmp_path, monkeypatch):
    """A real signal, at the moment when the SavedModel is written but has no name yet."""
    monkeypatch.setattr(writer.os, "rename", lambda *paths: os.kill(os.getpid(), signal.SIGTERM))
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.main(["saved-model", "--model", str(plain_run), "--out", f"{tmp_path}/out"])
    assert ended.value.code == 143
    assert os.listdir(tmp_path / "out") == []
    assert signal.getsignal(signal.SIGTERM) is handler
