import keras
import pytest
import tensorflow as tf

from lambda_keras.zoo.cli import main


def show(source, capsys):
    assert main(["weights", "show", str(source)]) == 0
    return capsys.readouterr().out


def facts(text):
    return dict(line.split(maxsplit=1) for line in text.partition("\n\n")[0].splitlines())


def test_all_of_a_row(capsys):
    row = facts(show("lambda_resnet50ts", capsys))
    assert row["name"] == "lambda_resnet50ts.a1h_in1k"
    assert row["hash"].startswith("the catalog's sha256 bcb80eaa")
    assert row["licence"] == "Apache-2.0"
    assert row["source"] == "https://huggingface.co/timm/lambda_resnet50ts.a1h_in1k"
    assert (row["crop"], row["interpolation"], row["mean"]) == ("0.95", "bicubic", "(0.485, 0.456, 0.406)")
    assert row["top1"].startswith("81.184 % on ImageNet-1k validation at 256 (https://")


def test_weights_for_one_size_and_a_warm_start(capsys):
    assert facts(show("lambda_resnet26rpt_256", capsys))["images"] == "256×256, no other, 3 channels"
    row = facts(show("resnet_rs50.i160", capsys))
    assert row["hash"].startswith("the catalog's md5 69d9d925")
    assert row["crop"] == "not published"


@pytest.mark.parametrize("kind", ["shared", "safetensors", "h5", "keras", "checkpoint", "timm"])
def test_all_tensors_of_a_file(kind, model, shared, saved_run, hub, tmp_path, capsys):
    model.save_weights(tmp_path / "digits.weights.h5")
    source, kind_of_file, name, shape = {
        "shared": (shared, "safetensors, names of this package", "predictions/kernel", "[192, 10]"),
        "safetensors": (
            shared / "model.safetensors", "safetensors, names of this package", "predictions/kernel", "[192, 10]"
        ),
        "h5": (tmp_path / "digits.weights.h5", ".weights.h5 of Keras 3", "layers/dense/vars/0", "[192, 10]"),
        "keras": (saved_run / "model.keras", ".keras", "layers/dense/vars/0", "[192, 10]"),
        "checkpoint": (tmp_path / "ckpt", "TensorFlow checkpoint", "kernel/.ATTRIBUTES/VARIABLE_VALUE", "[192, 10]"),
        "timm": (
            next(hub.glob("snapshots/*/*")), "safetensors, timm's names", "head.fc.weight", "[1000, 2048]"
        ),
    }[kind]  # fmt: skip
    if kind == "checkpoint":
        kernel = keras.ops.convert_to_tensor(model.layers[-1].kernel)
        tf.train.Checkpoint(kernel=tf.Variable(kernel)).write(str(source))
    text = show(source, capsys)
    assert facts(text)["format"] == kind_of_file
    rows = [line.split(maxsplit=1) for line in text.partition("\n\n")[2].splitlines()[2:]]
    assert int(facts(text)["tensors"]) == len(rows)
    assert [" ".join(row[1].split()) for row in rows if row[0] == name] == [f"{shape} float32"]
    if kind in ("shared", "safetensors", "h5", "keras"):
        assert facts(text)["values"] == f"{model.count_params():,}"


def test_a_folder_tells_how_its_model_wants_images(shared, capsys):
    assert facts(show(shared, capsys))["classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_a_damaged_file_is_one_line(tmp_path, content, capsys):
    for name in ("a.safetensors", "a.weights.h5", "a.keras"):
        (tmp_path / name).write_bytes(content)
        assert main(["weights", "show", str(tmp_path / name)]) == 2
        error = capsys.readouterr().err
        assert f"{name} is damaged, or not what its name says" in error
        assert error.count("\n") == 1
