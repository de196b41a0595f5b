import base64
import json

import pytest

from lambda_keras.export.tflite.standard_metadata import standard_metadata
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.models.record import Record
from tests.golden.tflite_metadata import GOLDEN


@pytest.mark.parametrize("recorded", json.loads(GOLDEN.read_text()))
def test_the_bytes_are_those_of_the_classes_of_mediapipe(recorded):
    model, mean, std, normalises = recorded["record"]
    record = Record(model, Preprocessor(32, mean=mean, std=std), ("A", "B"))
    assert standard_metadata(record, normalises) == base64.b64decode(recorded["metadata"])
