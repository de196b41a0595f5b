"""The weights that come with the package: they load without a network."""

import pytest

import lambda_keras as lk
from lambda_keras.weights import catalog, fetch

RECORDS = [record for record in catalog.records() if record.is_in_package]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")


def test_both_are_there_and_small():
    assert [record.name for record in RECORDS] == ["lambda_resnet_tiny.fashion_mnist", "lambda_resnet_tiny.digits"]
    files = list(fetch.IN_PACKAGE.iterdir())
    assert sorted(file.name for file in files) == sorted(record.file for record in RECORDS)
    assert sum(file.stat().st_size for file in files) <= 1.5e6
    assert all(fetch.fetch(record).stat().st_size == record.bytes for record in RECORDS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_model_has_their_input_and_less_than_120_000_parameters(record):
    model = lk.create_model(record.model, weights=record.tag)
    assert model.input_shape == (None, record.image_size, record.image_size, record.channels)
    assert model.output_shape == (None, record.classes)
    assert model.count_params() < 120_000


def test_a_file_that_was_changed_is_refused(monkeypatch, tmp_path):
    record = RECORDS[0]
    content = bytearray((fetch.IN_PACKAGE / record.file).read_bytes())
    content[-1] ^= 1
    monkeypatch.setattr(fetch, "IN_PACKAGE", tmp_path)
    (tmp_path / record.file).write_bytes(content)
    with pytest.raises(lk.weights.WeightsError, match=f"not {record.sha256}: install lambda-keras again"):
        lk.create_model(record.model, weights=record.tag)
    (tmp_path / record.file).unlink()
    with pytest.raises(lk.weights.WeightsError, match=r"cannot be read .* install lambda-keras again"):
        lk.create_model(record.model, weights=record.tag)
