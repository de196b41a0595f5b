"""load_weights: what names weights, and what they do to a model of other classes, sizes or channels."""

import functools
import pathlib

import numpy as np
import pytest
from huggingface_hub import constants

import lambda_keras as lk
from lambda_keras.weights import WeightsError, WeightsWarning, fetch
from lambda_keras.weights.formats.safetensors import write_safetensors
from tests.lambda_keras.weights.conftest import IMAGES, TINY, randomize, values

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TAG = "lambda_resnet26t.c1_in1k"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A checkpoint as timm publishes it: here of random weights, written by `export_to_timm`."""
    author = randomize(lk.create_model("lambda_resnet26t", input_shape=(64, 64, 3)))
    path = tmp_path_factory.mktemp("published") / "model.safetensors"
    lk.export_to_timm(author, path)
    return author, path


@pytest.fixture
def hub(published, tmp_path, monkeypatch):
    """The Hub's cache as a download leaves it, and no network."""
    _, path = published
    repository = tmp_path / "models--timm--lambda_resnet26t.c1_in1k"
    for folder, name, content in (
        ("blobs", fetch.sha256_of(path), path.read_bytes()),
        ("refs", "main", COMMIT.encode()),
        ("snapshots", COMMIT, None),
    ):
        (repository / folder).mkdir(parents=True)
        (repository / folder / name).write_bytes(content) if content else (repository / folder / name).mkdir()
    (repository / "snapshots" / COMMIT / path.name).symlink_to(repository / "blobs" / fetch.sha256_of(path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")


@pytest.mark.parametrize("weights", ["imagenet", "c1_in1k", TAG, "hf://timm/lambda_resnet26t.c1_in1k@main"])
@pytest.mark.usefixtures("hub")
def test_published_weights_load_by_every_name(published, weights, recwarn):
    model = lk.create_model("lambda_resnet26t", weights=weights, input_shape=(64, 64, 3), name="mine")
    np.testing.assert_array_equal(
        model(IMAGES.repeat(2, 1).repeat(2, 2)), published[0](IMAGES.repeat(2, 1).repeat(2, 2))
    )
    assert not [warning for warning in recwarn if warning.category is WeightsWarning]


@pytest.mark.parametrize("build", [lk.LambdaResNet26T, functools.partial(lk.create_model, "lambda_resnet26t")])
@pytest.mark.usefixtures("hub")
def test_published_weights_follow_the_model_and_say_so(published, build, capsys):
    with pytest.warns(WeightsWarning) as warned:
        model = build(weights="imagenet", input_shape=(32, 32, 1), classes=5)
    (warning,) = warned
    assert str(warning.message).startswith(TAG)
    assert "predictions/kernel" in str(warning.message)
    assert "stem1_conv/kernel" in str(warning.message)
    assert warning.filename == __file__
    assert capsys.readouterr() == ("", "")
    same = [name for name, value in values(published[0]).items() if np.array_equal(value, values(model).get(name))]
    assert len(same) == len(model.weights) - 3


@pytest.mark.usefixtures("hub")
def test_without_a_classifier_nothing_needs_to_be_said(published, recwarn):
    model = lk.LambdaResNet26T(include_top=False, weights="imagenet", input_shape=(64, 64, 3))
    assert not [warning for warning in recwarn if warning.category is WeightsWarning]
    np.testing.assert_array_equal(
        values(model)["c5_block2_conv3/kernel"], values(published[0])["c5_block2_conv3/kernel"]
    )


@pytest.fixture
def path(author, tmp_path):
    """The author's weights as a file."""
    write_safetensors(values(author), tmp_path / "author.safetensors")
    return tmp_path / "author.safetensors"


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_file_loads_on_building_and_after(path, author, kind):
    model = lk.create_model(TINY, weights=kind(path))
    np.testing.assert_array_equal(model(IMAGES), author(IMAGES))
    model = lk.create_model(TINY, name="mine")
    assert lk.load_weights(model, kind(path)).is_exact
    np.testing.assert_array_equal(model(IMAGES), author(IMAGES))


# Arguments of a model that a file of 10 classes, 3 channels, scope 15 and this configuration does not fit.
OTHERS = {
    "classes": ({"classes": 7}, "another number of classes"),
    "no top": ({"include_top": False}, "another number of classes"),
    "channels": ({"input_shape": (32, 32, 1)}, "other channels"),
    "scope": ({"scope_size": 9}, "global scope"),
    "key depth": ({"key_dim": 8}, "another configuration"),
    "blocks": ({"blocks": (1, 1, 2, 2)}, "nothing for c5_block2"),
    "model": ({"stem": "vanilla"}, "shape"),
}


@pytest.mark.parametrize(("arguments", "message"), OTHERS.values(), ids=OTHERS)
def test_a_file_must_fit_exactly(path, arguments, message):
    with pytest.raises(WeightsError, match=message):
        lk.create_model(TINY, weights=path, **arguments)
    model = lk.create_model(TINY, **arguments)
    before = values(model)
    with pytest.raises(WeightsError, match=message):
        lk.load_weights(model, path)
    assert all(np.array_equal(value, before[name]) for name, value in values(model).items())


@pytest.mark.parametrize("name", ["classes", "no top", "channels"])
def test_adapt_carries_over_what_it_can(path, name):
    model = lk.create_model(TINY, **OTHERS[name][0])
    report = lk.load_weights(model, path, fit="adapt")
    assert len(report.loaded) + len(report.adapted) + len(report.random) == len(model.weights)
    assert len(report.loaded) >= len(model.weights) - 2


@pytest.mark.parametrize("fit", ["exact", "adapt", "partial"])
def test_a_fresh_classifier_stays_random_though_it_would_fit(path, fit):
    model = lk.create_model(TINY)
    before = values(model)
    report = lk.load_weights(model, path, fit, classifier="fresh")
    assert {*report.random} == {*report.unused} == {"predictions/kernel", "predictions/bias"}
    np.testing.assert_array_equal(values(model)["predictions/kernel"], before["predictions/kernel"])


def test_a_fresh_classifier_may_be_of_other_classes_where_all_else_is_exact(path):
    model = lk.create_model(TINY, classes=7)
    assert len(lk.load_weights(model, path, classifier="fresh").loaded) == len(model.weights) - 2
    with pytest.raises(WeightsError, match="other channels"):
        lk.load_weights(lk.create_model(TINY, input_shape=(32, 32, 1)), path, classifier="fresh")


@pytest.mark.parametrize("arguments", [{"fit": "adapted"}, {"fit": True}, {"classifier": "random"}])
def test_other_words_are_refused(path, model, arguments):
    with pytest.raises(ValueError, match="must be one of"):
        lk.load_weights(model, path, **arguments)


@pytest.mark.parametrize("name", ["scope", "key depth", "blocks", "model"])
def test_adapt_does_not_stretch_what_does_not_fit(path, name):
    with pytest.raises(WeightsError):
        lk.load_weights(lk.create_model(TINY, **OTHERS[name][0]), path, fit="adapt")


def test_partial_fills_what_has_the_same_name_and_shape(path, author):
    model = lk.create_model(TINY, key_dim=8, blocks=(2, 1, 2, 1))
    before, expected = values(model), values(author)
    report = lk.load_weights(model, path, fit="partial")
    fits = [name for name, value in before.items() if name in expected and value.shape == expected[name].shape]
    assert report.loaded == tuple(fits)
    assert report.random == tuple(name for name in before if name not in fits)
    assert {name for name in report.random if "_lambda/key_projection" in name} == set(report.unused) & {
        "c4_block2_lambda/key_projection/kernel",
        "c5_block1_lambda/key_projection/kernel",
    }
    assert "c2_block2_conv1/kernel" in report.random
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, (expected if name in fits else before)[name])


def test_partial_loading_of_nothing_is_an_error(path):
    with pytest.raises(WeightsError, match="Not one of 114 tensors fits"):
        lk.load_weights(lk.create_model("mobilenet_v2", input_shape=(32, 32, 3)), path, fit="partial")


def test_unknown_weights_name_those_there_are(model):
    with pytest.raises(WeightsError, match="c1_in1k"):
        lk.create_model("lambda_resnet26t", input_shape=(32, 32, 3), weights="imagnet")
    with pytest.raises(WeightsError, match="architecture only"):
        lk.load_weights(model, "imagenet", architecture="lambda_resnet50")
    with pytest.raises(WeightsError, match="lambda_resnet26t has no weights 'a1_in1k'"):
        lk.load_weights(model, "lambda_resnet26t.a1_in1k")


@pytest.mark.parametrize("name", ["model.pth", "dir/pytorch_model.bin"])
def test_pickles_are_refused_by_their_name(name):
    with pytest.raises(WeightsError, match="weights_only=True"):
        lk.create_model(TINY, weights=name)


def test_weights_and_warm_start_exclude_each_other():
    with pytest.raises(ValueError, match="exclude each other"):
        lk.create_model("lambda_resnet50", weights="x.safetensors", warm_start="resnet_rs", input_shape=(32, 32, 3))


@pytest.mark.parametrize(
    ("warm_start", "message"), [("resnet_rs", r"resnet-rs-50-i160\.h5"), ("imagenet", "'resnet_rs'")]
)
def test_a_builder_takes_a_warm_start_or_raises(monkeypatch, tmp_path, warm_start, message):
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=message):
        lk.create_model("lambda_resnet50", warm_start=warm_start, input_shape=(32, 32, 3))
