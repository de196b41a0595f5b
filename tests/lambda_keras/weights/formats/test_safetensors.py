"""Files of tensors: what is written comes back, and no half-written file stays."""

import numpy as np
import pytest

from lambda_keras.weights.formats.safetensors import read_safetensors, write_safetensors


def test_comes_back(tmp_path):
    tensors = {"a/kernel": np.arange(6, dtype="float32").reshape(2, 3).T, "b": np.float16([1.5])}
    write_safetensors(tensors, tmp_path / "model.safetensors", {"format": "lambda_keras"})
    back = read_safetensors(tmp_path / "model.safetensors")
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        np.testing.assert_array_equal(back[name], tensor)


def test_a_half_written_file_is_not_left_behind(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors({"a": np.ones(3, "float32")}, path)
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"(?i)dtype"):
        write_safetensors({"a": np.array(["text"])}, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == before
