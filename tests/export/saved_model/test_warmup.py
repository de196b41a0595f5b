import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from lambda_keras.export.saved_model.warmup import WARMUP_REQUESTS, read_warmup
from lambda_keras.export.saved_model.writer import export_saved_model
from lambda_keras.zoo.errors import UserError


def answers(version):
    """What the reloaded SavedModel says to each request; numpy is all that goes in between."""
    loaded = tf.saved_model.load(version)
    for entry in tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests")):
        request = PredictionLog.FromString(entry.numpy()).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        yield request.model_spec.signature_name, inputs, loaded.signatures[request.model_spec.signature_name](**inputs)


def test_every_signature_has_its_requests_and_answers_them(model, record, tmp_path):
    version = export_saved_model(model, tmp_path, record, features=True, warmup=3)
    rows = list(answers(version))
    signatures = "serving_default", "features", "classify_uint8", "classify_bytes"
    assert sorted(name for name, _, _ in rows) == sorted(signatures * 3)
    files = [inputs["image_bytes"].numpy()[0] for name, inputs, _ in rows if name == "classify_bytes"]
    assert [file[:4] for file in files] == [b"\xff\xd8\xff\xe0", b"\x89PNG", b"\xff\xd8\xff\xe0"]
    assert len(set(files)) == 3
    for name, inputs, outputs in rows:
        if name == "classify_bytes":
            assert outputs["valid"].numpy().all()
        else:
            assert inputs["images"].shape == (1, 32, 32, 3)
            assert np.ptp(inputs["images"]) > 50, "values of pixels, not normalised ones"


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(record, channels, tmp_path):
    import keras

    inputs = keras.Input((None, None, channels))
    model = keras.Model(inputs, keras.layers.Dense(10, "softmax")(keras.layers.GlobalMaxPooling2D()(inputs)))
    record = record.with_preprocessing(mean=(0.5,) * channels, std=(0.5,) * channels)
    version = export_saved_model(model, tmp_path, record, warmup=2)
    for name, inputs, outputs in answers(version):
        (images,) = inputs.values()
        assert name == "classify_bytes" or images.shape == (1, 32, 32, channels)
        assert all(np.isfinite(value).all() for value in outputs.values() if value.dtype == tf.float32)


def test_without_record_images_are_normalised(plain_model, tmp_path):
    version = export_saved_model(plain_model, tmp_path, warmup=2)
    rows = list(answers(version))
    assert [name for name, _, _ in rows] == ["serving_default"] * 2
    for _, inputs, _ in rows:
        assert inputs["images"].shape == (1, 4, 4, 3)
        assert inputs["images"].numpy().min() >= -1
        assert inputs["images"].numpy().max() <= 1


def test_they_are_read_back(plain_model, tmp_path):
    version = export_saved_model(plain_model, tmp_path, warmup=2)
    assert [request.model_spec.signature_name for request in read_warmup(version)] == ["serving_default"] * 2
    (version / WARMUP_REQUESTS).unlink()
    assert list(read_warmup(version)) == []


def test_none_unless_asked_for(saved_model):
    assert not (saved_model / "assets.extra").exists()


@pytest.mark.parametrize(("count", "features", "most"), [(0, False, 333), (334, False, 333), (251, True, 250)])
def test_a_count_out_of_bounds(model, record, count, features, most, tmp_path):
    with pytest.raises(UserError, match=rf"--warmup must be 1 to {most} .*, got {count}"):
        export_saved_model(model, tmp_path, record, features=features, warmup=count)
    assert os.listdir(tmp_path) == []
