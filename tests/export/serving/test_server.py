"""Clients of a server over gRPC: how a wrong request is refused, and the short form of benchmarks/serving_load.py."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from benchmarks.serving_load import load_test, request_of, server
from lambda_keras.export.saved_model.writer import export_saved_model

pytestmark = [pytest.mark.network, pytest.mark.process]
# What a client of gRPC takes by default.
MOST_BYTES = 4 * 2**20


@pytest.fixture(scope="module")
def predict(server_model):
    with server(server_model) as (_, channel):
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict


def refusal(predict, signature, **inputs):
    with pytest.raises(grpc.RpcError) as raised:
        predict(request_of(signature, **inputs), timeout=60)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    return raised.value.details()


@pytest.mark.parametrize(
    ("signature", "dtype"), [("serving_default", "float32"), ("classify_uint8", "uint8"), ("features", "float32")]
)
@pytest.mark.parametrize(
    "shape",
    [(1, 31, 32, 3), (1, 64, 64, 3), (2, 32, 32, 1), (1, 32, 32, 4), (32, 32, 3), (7,), (), (1, 1, 32, 32, 3)],
)
def test_images_of_another_shape_are_refused_in_words(predict, signature, dtype, shape):
    words = refusal(predict, signature, images=np.ones(shape, dtype))
    sides = " ".join(map(str, shape))
    assert f"images: expected {dtype} [batch, 32, 32, 3], got a tensor of the shape] [{sides}]" in words


@pytest.mark.parametrize("encoded", [b"one file", [[b"one", b"row"]]])
def test_so_are_files_that_are_no_list(predict, encoded):
    words = refusal(predict, "classify_bytes", image_bytes=encoded)
    assert "image_bytes: expected string [batch], got a tensor of the shape]" in words


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_not_finite_spoils_its_own_row(predict, raw_images, value):
    images = raw_images.astype("float32")
    for signature in ("serving_default", "features"):
        expected = predict(request_of(signature, images=images), timeout=60).outputs
        spoilt = images.copy()
        spoilt[3, 5, 7, 1] = value
        outputs = predict(request_of(signature, images=spoilt), timeout=60).outputs
        for name in expected:
            before, after = tf.make_ndarray(expected[name]), tf.make_ndarray(outputs[name])
            assert np.isnan(after[3]).all()
            np.testing.assert_array_equal(np.delete(after, 3, axis=0), np.delete(before, 3, axis=0))
    words = refusal(predict, "serving_default", images=np.full((2, 32, 32, 3), value, "float32"))
    assert "images: expected finite numbers, got NaN or infinity in each image; images in the batch:] [2]" in words


def test_a_filter_of_outputs_keeps_a_response_below_the_limit_of_a_client(predict, raw_images):
    images = np.tile(raw_images.astype("float32"), (4, 1, 1, 1))
    request = request_of("features", images=images)
    with pytest.raises(grpc.RpcError, match="larger than max"):
        predict(request, timeout=60)
    request.output_filter.append("embedding")
    response = predict(request, timeout=60)
    assert list(response.outputs) == ["embedding"]
    assert response.ByteSize() < MOST_BYTES


def test_eight_clients_lose_nothing(digits_model, digits_record, tmp_path):
    """In the long form for five minutes, in which the memory must not grow."""
    version = export_saved_model(digits_model, tmp_path, digits_record)
    images = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 1), dtype="uint8")
    (row,) = load_test(version, [tf.io.encode_png(image).numpy() for image in images], clients=8, seconds=2, every=2)
    assert row["answered"] >= 8
    assert row["refused"] >= 1
    assert (row["lost"], row["wrong"]) == (0, 0)
