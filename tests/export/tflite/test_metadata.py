"""Read as a stranger would: with the schema and the zip module alone."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from lambda_keras.export.tflite.metadata import add_metadata, has_metadata, read_preprocessing
from lambda_keras.export.tflite.quantization import KINDS
from lambda_keras.export.tflite.standard_metadata import standard_metadata
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError


def buffers(content):
    """The named buffers of a TFLite file."""
    model = schema.Model.GetRootAs(content, 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    return {entry.Name().decode(): model.Buffers(entry.Buffer()).DataAsNumpy().tobytes() for entry in entries}


@pytest.fixture(scope="module")
def plain(digits_model, folder):
    """The model's file without a record."""
    return export_tflite(digits_model, folder / "digits-plain.tflite").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_named_buffer_says_how_images_are_prepared(quantized, kind):
    metadata = json.loads(buffers(quantized[kind].read_bytes())["LAMBDA_KERAS_METADATA"])
    assert metadata == {
        "model": "lambda_resnet_tiny",
        "preprocessing": {
            "image_size": 16,
            "evaluation_crop": 1.0,
            "interpolation": "bicubic",
            "mean": [0.305],
            "std": [0.376],
        },
        "labels": list("0123456789"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_a_zip_archive_of_the_labels(quantized, kind):
    with zipfile.ZipFile(quantized[kind]) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt").decode() == "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"


def test_without_a_record_there_is_none(plain, tmp_path):
    assert "LAMBDA_KERAS_METADATA" not in buffers(plain)
    assert not has_metadata(plain)
    (tmp_path / "plain.tflite").write_bytes(plain)
    assert read_preprocessing(tmp_path / "plain.tflite") is None
    assert not zipfile.is_zipfile(tmp_path / "plain.tflite")


def test_the_model_is_as_before(plain, digits_record, digits_test):
    content = add_metadata(plain, digits_record)
    assert has_metadata(content)
    images = digits_test.normalised(0, 8)
    run = [Interpreter(model_content=file).get_signature_runner()(images=images) for file in (plain, content)]
    np.testing.assert_array_equal(run[0]["probabilities"], run[1]["probabilities"])
    others = buffers(content)
    assert json.loads(others.pop("LAMBDA_KERAS_METADATA"))["model"] == "lambda_resnet_tiny"
    assert others.pop("TFLITE_METADATA") == standard_metadata(digits_record)
    assert others == buffers(plain)


def test_of_a_file_that_prepares_pictures_itself(plain, digits_record, tmp_path):
    content = add_metadata(plain, digits_record, normalises=True)
    metadata = json.loads(buffers(content)["LAMBDA_KERAS_METADATA"])
    assert metadata["preprocessing_inside"]["mean"] == [0.305]
    assert buffers(content)["TFLITE_METADATA"] == standard_metadata(digits_record, normalises=True)
    (tmp_path / "model.tflite").write_bytes(content)
    assert read_preprocessing(tmp_path / "model.tflite") is None, "nobody is to do it a second time"


def test_the_same_model_gives_the_same_bytes(plain, digits_record):
    assert add_metadata(plain, digits_record) == add_metadata(plain, digits_record)


def test_names_in_any_script(plain, digits_record):
    names = ("zéro", "一", *"23456789")
    content = add_metadata(plain, dataclasses.replace(digits_record, class_names=names))
    assert json.loads(buffers(content)["LAMBDA_KERAS_METADATA"])["labels"] == list(names)


def test_the_preprocessing_is_read_back(quantized, digits_record):
    preprocessing = read_preprocessing(quantized["int8"])
    assert preprocessing["mean"] == list(digits_record.preprocessor.mean)
    assert preprocessing["std"] == list(digits_record.preprocessor.std)


@pytest.mark.parametrize("found", [b'"preprocessing":', b'{"model"'])
def test_damaged_metadata_are_named(quantized, tmp_path, found):
    content = quantized["none"].read_bytes()
    assert content.count(found) == 1
    (tmp_path / "damaged.tflite").write_bytes(content.replace(found, b"?" * len(found)))
    with pytest.raises(UserError, match=r"the metadata of .*damaged\.tflite are damaged; export the model again"):
        read_preprocessing(tmp_path / "damaged.tflite")
