import contextlib
import zipfile

import keras
import numpy as np
import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import loading
from lambda_keras.zoo.models.loading import load_classifier


def dense(x, activation="softmax"):
    return keras.layers.Dense(3, activation=activation)(keras.layers.GlobalAveragePooling2D()(x))


@pytest.fixture
def inputs():
    return keras.Input((4, 4, 3))


@pytest.fixture
def model_file(saved_run):
    return saved_run / "model.keras"


def test_the_loaded_model_is_the_saved_one(model, model_file):
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 1)).astype("float32")
    np.testing.assert_array_equal(
        load_classifier(model_file).predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no such file: .*model.keras"):
        load_classifier(tmp_path / "model.keras")


@pytest.mark.parametrize("name", ["text.keras", "folder.keras", "archive.keras", "archive.zip"])
def test_what_is_no_keras_file_is_refused(tmp_path, name):
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("hello")
    elif name.startswith("folder"):
        path.mkdir()
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match=rf"{name} is not a Keras model file"):
        load_classifier(path)


@pytest.mark.parametrize("damaged", ["config.json", "model.weights.h5"])
def test_a_damaged_file_is_refused(model_file, tmp_path, damaged):
    path = tmp_path / "damaged.keras"
    with zipfile.ZipFile(model_file) as original, zipfile.ZipFile(path, "w") as copy:
        for name in original.namelist():
            content = original.read(name)
            copy.writestr(name, content[:99] if name == damaged else content)
    with pytest.raises(UserError, match="is damaged"):
        load_classifier(path)


def test_python_code_in_the_file_is_not_run(inputs, tmp_path):
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(dense(inputs))).save(tmp_path / "code.keras")
    with pytest.raises(UserError, match=r"holds a keras\.layers\.Lambda"):
        load_classifier(tmp_path / "code.keras")


def test_a_layer_from_elsewhere_is_named(inputs, tmp_path):
    class Elsewhere(keras.layers.Layer):
        def call(self, x):
            return x

    keras.Model(inputs, dense(Elsewhere()(inputs))).save(tmp_path / "elsewhere.keras")
    with pytest.raises(UserError, match="uses 'Elsewhere'"):
        load_classifier(tmp_path / "elsewhere.keras")


def test_another_backend_is_refused(model_file, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="needs Keras on TensorFlow, got jax; set KERAS_BACKEND=tensorflow"):
        load_classifier(model_file)


def with_config(model_file, path, change):
    """A copy of a model's file whose config.json is changed."""
    with zipfile.ZipFile(model_file) as original, zipfile.ZipFile(path, "w") as copy:
        for name in original.namelist():
            content = original.read(name)
            copy.writestr(name, change(content) if name == "config.json" else content)
    return path


@pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b'"text"', b'{"module": "keras", "class_name": 5}'])
def test_another_configuration_is_refused(model_file, tmp_path, content):
    path = with_config(model_file, tmp_path / "foreign.keras", lambda _: content)
    with pytest.raises(UserError, match=r"foreign\.keras cannot be loaded \(\w+Error: .*\); a model is a \.keras file"):
        load_classifier(path)


@pytest.mark.parametrize(
    ("found", "replacement"),
    [
        (b'"filters": 5', b'"filters": 7'),
        (b'"filters": 5', b'"filters": "five"'),
        (b'"filters": 5', b'"fillters": 5'),
        (b'"inbound_nodes"', b'"nodes"'),
    ],
)
def test_a_configuration_of_other_layers_is_refused(inputs, tmp_path, found, replacement):
    keras.Model(inputs, dense(keras.layers.Conv2D(5, 1)(inputs))).save(tmp_path / "model.keras")
    path = with_config(
        tmp_path / "model.keras", tmp_path / "changed.keras", lambda content: content.replace(found, replacement)
    )
    with pytest.raises(UserError, match=r"changed\.keras cannot be loaded \(") as raised:
        load_classifier(path)
    assert len(str(raised.value)) < 500
    assert "\n" not in str(raised.value)


def test_a_failure_of_the_system_keeps_its_exception(model_file, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(keras.models, "load_model", fail)
    with pytest.raises(MemoryError):
        load_classifier(model_file)


def test_two_inputs_are_refused(inputs, tmp_path):
    other = keras.Input((4, 4, 3))
    keras.Model([inputs, other], dense(inputs + other)).save(tmp_path / "two.keras")
    with pytest.raises(UserError, match="not an image classifier: expected one input"):
        load_classifier(tmp_path / "two.keras")


def test_maps_instead_of_classes_are_refused(inputs, tmp_path):
    keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax")(inputs)).save(tmp_path / "maps.keras")
    with pytest.raises(UserError, match="not an image classifier: expected one input"):
        load_classifier(tmp_path / "maps.keras")


def test_logits_are_not_taken_for_probabilities(inputs, tmp_path):
    keras.Model(inputs, dense(inputs, activation=None)).save(tmp_path / "logits.keras")
    with pytest.raises(UserError, match=r"does not end in softmax, its last layer .* has activation linear"):
        load_classifier(tmp_path / "logits.keras")


@pytest.mark.parametrize("top", [keras.layers.Softmax, lambda: keras.layers.Activation("softmax")])
def test_softmax_may_be_a_layer_of_its_own(inputs, tmp_path, top):
    keras.Model(inputs, top()(dense(inputs, activation=None))).save(tmp_path / "softmax.keras")
    load_classifier(tmp_path / "softmax.keras")


def test_a_damaged_directory_of_the_archive_is_a_line(inputs, tmp_path):
    keras.Model(inputs, dense(inputs)).save(tmp_path / "whole.keras")
    content = (tmp_path / "whole.keras").read_bytes()
    random = np.random.default_rng(0)
    start = content.rindex(b"PK\x01\x02") - 60
    for _ in range(200):
        damaged = bytearray(content)
        for place in random.integers(start, len(content), 2):
            damaged[place] = random.integers(256)
        (tmp_path / "damaged.keras").write_bytes(damaged)
        with contextlib.suppress(UserError):
            loading._check_file(tmp_path / "damaged.keras")


def test_softmax_may_be_inside_a_model_that_is_the_last_layer(inputs, tmp_path):
    inner = keras.Model(inputs, dense(inputs))
    logits = keras.Model(inputs, dense(inputs, activation=None), name="inner")
    rescaled = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255), inner])
    rescaled.save(tmp_path / "nested.keras")
    load_classifier(tmp_path / "nested.keras")
    keras.Sequential([keras.Input((4, 4, 3)), logits]).save(tmp_path / "logits.keras")
    with pytest.raises(UserError, match=r"does not end in softmax, its last layer 'dense\w*' has activation linear"):
        load_classifier(tmp_path / "logits.keras")


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_model_that_diverged_is_refused_by_the_name_of_the_tensor(inputs, tmp_path, value):
    model = keras.Model(inputs, dense(keras.layers.Conv2D(2, 1, name="convolution")(inputs)))
    model.get_layer("convolution").bias.assign([0.0, value])
    model.save(tmp_path / "diverged.keras")
    with pytest.raises(UserError, match="not a number in 1 of 4 tensors, the first is convolution/bias"):
        load_classifier(tmp_path / "diverged.keras")


def test_models_inside_that_share_names_of_layers_are_refused_in_these_words(inputs):
    def inner(channels):
        images = keras.Input((4, 4, channels))
        return keras.Model(images, keras.layers.Conv2D(3, 1, name="convolution")(images))

    images = keras.Input((4, 4, 3))
    top = keras.Model(images, dense(keras.layers.Conv2D(3, 1, name="convolution")(images)), name="top")
    with pytest.raises(UserError, match=r"ends in 'top', a model that .* shares names of layers"):
        loading.check_classifier(keras.Model(inputs, top(inner(3)(inputs))), "twins.keras")
