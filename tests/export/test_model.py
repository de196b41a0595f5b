import dataclasses

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.export.model import load, load_to_serve
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.model_source import find


def test_a_run(model, run_of_model, record, images):
    loaded, loaded_record = load(find(run_of_model))
    assert loaded_record == record
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


def test_without_record(model_file, capsys):
    _, record = load(find(model_file))
    assert record is None
    assert capsys.readouterr().err == "", "to compare artifacts with it, it needs none"
    _, record = load_to_serve(find(model_file))
    assert record is None
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    for word in ("no record.json beside", "normalised", "classify_bytes", "copy the record.json"):
        assert word in line


def test_another_image_size(run_of_model):
    model, record = load(find(run_of_model), image_size=48)
    assert record.preprocessor.image_size == 48
    assert model(np.zeros((1, 48, 48, 3), "float32")).shape == (1, 10)


@pytest.mark.parametrize("with_record", [True, False])
@pytest.mark.parametrize("image_size", [0, -32])
def test_a_bad_image_size(run_of_model, model_file, with_record, image_size):
    with pytest.raises(UserError, match=rf"image.size.*{image_size}"):
        load(find(run_of_model if with_record else model_file), image_size=image_size)


def test_a_fixed_image_size(record, tmp_path):
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    record.write(tmp_path / "record.json")
    with pytest.raises(UserError, match="takes images of 32x32 only, got 48x48"):
        load(find(tmp_path), image_size=48)


def test_a_record_of_another_model(run_of_model, record, tmp_path):
    (tmp_path / "model.keras").write_bytes((run_of_model / "model.keras").read_bytes())
    dataclasses.replace(record, class_names=("A", "B")).write(tmp_path / "record.json")
    with pytest.raises(UserError, match="is of another model"):
        load(find(tmp_path))


def test_fused(model, run_of_model, images):
    fused, _ = load_to_serve(find(run_of_model), fuse=True)
    assert any(isinstance(layer, lk.layers.FusedLambdaLayer) for layer in fused.layers)
    assert len(fused.layers) < len(model.layers)
    np.testing.assert_allclose(fused(images), model(images, training=False), atol=1e-5)
