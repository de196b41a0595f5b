"""Files of catalog rows, cut or with a bit turned over: always an exception, and never left in the cache."""

import dataclasses
import hashlib

import numpy as np
import pytest

from lambda_keras.weights import WeightsError, catalog, fetch
from lambda_keras.weights.formats.safetensors import write_safetensors
from tests.lambda_keras.weights.conftest import values


@pytest.fixture(params=["safetensors", "h5"])
def row(request, author, tmp_path, monkeypatch):
    """A row of the catalog whose file is here, and the file in the cache."""
    published = catalog.warm_starts("resnet_rs50")[0]
    path = tmp_path / published.name / f"weights.{request.param}"
    path.parent.mkdir()
    if request.param == "h5":
        author.save_weights(path.with_name("author.weights.h5"))
        path.with_name("author.weights.h5").rename(path)
    else:
        write_safetensors(values(author), path)
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(tmp_path))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return dataclasses.replace(published, file=path.name, sha256=sha256, md5=None), path


def test_every_cut_and_every_turned_bit_is_noticed(row):
    record, path = row
    content = path.read_bytes()
    assert fetch.fetch(record, offline=True) == path
    rng = np.random.default_rng(0)
    positions = sorted({*range(32), *(int(p) for p in rng.integers(0, len(content), 200)), len(content) - 1})
    for position in positions:
        turned = bytes([content[position] ^ 1 << int(rng.integers(8))])
        for damaged in (content[:position], content[:position] + turned + content[position + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(WeightsError, match="had another hash and was removed"):
                fetch.fetch(record, offline=True)
            assert not path.exists()
