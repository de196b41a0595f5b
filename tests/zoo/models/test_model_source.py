import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import lambda_keras as lk
from lambda_keras.weights import WeightsWarning
from lambda_keras.weights.formats import safetensors
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import model_source

TAG = "lambda_resnet26t.c1_in1k"


@pytest.mark.parametrize("name", ["", "model.keras"])
def test_a_run_or_its_file(saved_run, record, name):
    source = model_source.find(saved_run / name)
    assert (source.name, source.folder) == (str(saved_run / "model.keras"), saved_run)
    assert source.record() == record


def test_a_shared_folder(shared, model, record):
    source = model_source.find(shared)
    assert (source.name, source.folder) == (str(shared), shared)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 1)).astype("float32")
    np.testing.assert_allclose(source.load().predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)
    assert source.record() == dataclasses.replace(record, model=str(shared), trained_on=None)


def test_classes_without_names_have_numbers(model, shared, tmp_path):
    preprocessor = lk.applications.preprocessor_of(str(shared))
    lk.save_pretrained(model, tmp_path / "nameless", preprocessor)
    assert model_source.find(tmp_path / "nameless").record().class_names == tuple("0123456789")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "preprocessor.json"])
def test_a_damaged_shared_folder(shared, tmp_path, file):
    folder = shutil.copytree(shared, tmp_path / "damaged")
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:-9])
    source = model_source.find(folder)
    with pytest.raises(UserError, match="damaged"):
        source.record() if file == "preprocessor.json" else source.load()


def test_an_interpolation_that_evaluation_has_not_is_refused(model, tmp_path):
    preprocessor = lk.weights.Preprocessor(32, interpolation="nearest", mean=(0.3,), std=(0.3,))
    lk.save_pretrained(model, tmp_path / "model", preprocessor)
    with pytest.raises(UserError, match="interpolation must be 'bilinear' or 'bicubic', got 'nearest'"):
        model_source.find(tmp_path / "model").record()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lambda_resnet26t", TAG),
        (TAG, TAG),
        (f"hf://timm/{TAG}", f"hf://timm/{TAG}"),
        (f"hf://timm/{TAG}@main", f"hf://timm/{TAG}@main"),
    ],
)
def test_published_weights(hub, class_index, name, expected):
    source = model_source.find(name)
    assert source.name == expected
    assert source.folder.parts[0] == "runs"
    model = source.load(image_size=32)
    bias = model.get_layer("predictions").bias.numpy()
    assert bias.argmax() == 207
    record = source.record()
    assert (record.model, record.preprocessor.image_size, record.preprocessor.evaluation_crop) == (
        "lambda_resnet26t",
        256,
        0.94,
    )
    assert (record.dataset, record.trained_on.test) == ("imagenet2012", "validation")
    assert record.class_names[:2] == ("n00000000", "n00000001")


def test_weights_with_another_classifier_are_refused(hub, tmp_path):
    lk.create_model("lambda_resnet26t", input_shape=(32, 32, 3), classes=7).save_weights(tmp_path / "7.weights.h5")
    with pytest.raises(UserError, match=r"does not fit lambda_resnet26t: predictions/"):
        model_source.find("lambda_resnet26t", str(tmp_path / "7.weights.h5")).load(32)


def test_a_revision_that_is_not_in_the_cache(hub):
    with pytest.raises(UserError, match=r"resolve/v2/model\.safetensors"):
        model_source.find(f"hf://timm/{TAG}@v2").load(32)


def test_weights_of_ones_own(class_index, tmp_path):
    own = lk.create_model("lambda_resnet_tiny", input_shape=(64, 64, 3))
    own.save_weights(tmp_path / "own.weights.h5")
    source = model_source.find("lambda_resnet_tiny", str(tmp_path / "own.weights.h5"))
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(source.load(64).predict(images, verbose=0), own.predict(images, verbose=0), atol=1e-6)
    with pytest.warns(WeightsWarning, match="own.weights.h5 does not say how its images were prepared: they are"):
        record = source.record()
    assert (record.dataset, record.preprocessor.image_size, record.class_names) == (None, 32, tuple("0123456789"))


@pytest.mark.parametrize("kind", ["shared", "run"])
def test_weights_with_a_preprocessing_of_their_own(kind, model, shared, saved_run, record, capsys):
    """A folder of save_pretrained, or a file with a record beside it: with the same images as the model itself."""
    weights = shared if kind == "shared" else saved_run / "model.keras"
    source = model_source.find("lambda_resnet_tiny", str(weights))
    own = source.record()
    assert (own.preprocessor, own.class_names) == (record.preprocessor, record.class_names)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 1)).astype("float32")
    np.testing.assert_allclose(source.load().predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)
    assert capsys.readouterr().err == ""


def test_weights_of_another_network_are_refused(shared):
    with pytest.raises(UserError, match="does not fit"):
        model_source.find("lambda_resnet50", str(shared)).load()


@pytest.mark.parametrize(
    ("source", "weights", "expected"),
    [
        ("nowhere.keras", None, "no such file: nowhere.keras; a model is a .keras file"),
        ("lambda_resnet50.keras", None, "no such file"),
        ("lambda_resnet50", None, "architecture only: no weights of it are published; give your own with --weights"),
        ("lambda_resnet26t.c2", None, "lambda_resnet26t has no weights 'c2'"),
        ("lambda_resnet50", "imagenet", "architecture only"),
        ("nowhere.keras", "c1_in1k", "--weights is for a name of `lambda-zoo models` without a tag, got nowhere.keras"),
        (TAG, "c1_in1k", "without a tag"),
        ("hf://flowers", None, "hf://owner/repository"),
    ],
)
def test_what_is_not_there(source, weights, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=expected):
        model_source.find(source, weights)


def test_weights_for_one_size_only_take_no_other(hub):
    with pytest.raises(UserError, match=r"lambda_resnet26rpt_256\.c1_in1k takes images of 256 pixels only, got 128"):
        model_source.find("lambda_resnet26rpt_256").load(128)


def test_evaluate_a_shared_folder(shared, saved_run, tmp_path, capsys):
    assert main(["evaluate", str(shared), "--out", str(tmp_path)]) == 2
    assert "it is not known on which images" in capsys.readouterr().err
    arguments = ["--data", "digits", "--out"]
    assert main(["evaluate", str(shared), *arguments, str(tmp_path / "shared")]) == 0
    assert main(["evaluate", str(saved_run), *arguments, str(tmp_path / "run")]) == 0
    shared_figures, figures = (
        json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("shared", "run")
    )
    assert shared_figures["images"] == 450
    assert shared_figures["loss"] == pytest.approx(figures["loss"], rel=1e-5)


def test_evaluate_a_registered_model_at_another_size(tmp_path):
    model = lk.create_model("lambda_resnet_tiny", input_shape=(8, 8, 3))
    safetensors.write_safetensors({v.path: v.numpy() for v in model.weights}, tmp_path / "own.safetensors")
    folder = tmp_path / "images"
    rng = np.random.default_rng(0)
    for label in range(10):
        for number in range(10):
            (folder / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (9, 9, 3), "uint8")).save(folder / str(label) / f"{number}.png")
    arguments = ["evaluate", "lambda_resnet_tiny", "--weights", str(tmp_path / "own.safetensors"), "--image-size", "16"]
    arguments += ["--data", str(folder), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (figures["images"], figures["image_size"]) == (100, 16)


def test_predict_tells_the_names_of_imagenets_classes(hub, class_index, tmp_path, capsys):
    Image.fromarray(np.full((300, 280, 3), 99, "uint8")).save(tmp_path / "dog.png")
    arguments = ["predict", "lambda_resnet26t", str(tmp_path / "dog.png"), "--top", "1"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[1:3] == ["n00000207", "class_207"]
    assert main([*arguments, "--json"]) == 0
    ((row),) = json.loads(capsys.readouterr().out)[0]["predictions"]
    assert (row["class"], row["name"]) == ("n00000207", "class_207")


def test_without_imagenets_class_names_it_is_said_where_they_belong(hub, class_index, tmp_path, capsys):
    shutil.rmtree(class_index)
    assert main(["predict", "lambda_resnet26t", os.devnull]) == 2
    error = capsys.readouterr().err
    assert "imagenet_class_index.json elsewhere and copy it to" in error
    assert error.count("\n") == 1


def test_a_run_on_imagenet_predicts_ids_without_the_class_names(
    colour_run, colour_record, class_index, tmp_path, capsys
):
    run = shutil.copytree(colour_run, tmp_path / "run")
    dataclasses.replace(colour_record, class_names=("n02123045", "n02123159")).write(run / "record.json")
    shutil.rmtree(class_index)
    Image.fromarray(np.full((9, 9, 3), (255, 0, 0), "uint8")).save(tmp_path / "red.png")
    assert main(["predict", str(run), str(tmp_path / "red.png"), "--json", "--top", "1"]) == 0
    out, err = capsys.readouterr()
    ((row),) = json.loads(out)[0]["predictions"]
    assert (row["class"], set(row)) == ("n02123159", {"class", "probability"})
    assert "The classes have their ids alone" in err
