import pathlib
import re

import pytest

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.pickles import refuse_pickle


@pytest.mark.parametrize(
    "name",
    [
        "model.pth",
        "a/Model.PTH",
        "model.pth.tar",
        "model.pt",
        "pytorch_model.bin",
        "model.pkl",
        "model.pickle",
        "model.ckpt",
        pathlib.Path("folder/model.pth"),
    ],
)
def test_pickles_are_refused_with_the_way_to_convert_them(name):
    expected = f"'{name}' is a pickle, .*torch.load\\('{name}', weights_only=True\\), '(pytorch_)?[mM]odel.safetensors'"
    with pytest.raises(WeightsError, match=expected):
        refuse_pickle(name)


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "model.weights.h5",
        "model.keras",
        "ckpt-1.index",
        "config.json",
        "a.pth/model.safetensors",
        pathlib.Path("pth"),
    ],
)
def test_other_files_are_not(name):
    refuse_pickle(name)


@pytest.mark.backends
def test_the_conversion_of_the_message(tmp_path):
    """The message's own line makes a file that holds the same tensors."""
    import safetensors.torch
    import torch

    path = tmp_path / "model.pth"
    torch.save({"weight": torch.arange(6.0).reshape(2, 3)}, path)
    with pytest.raises(WeightsError) as caught:
        refuse_pickle(path)
    line = re.search("`(.*)`", str(caught.value)).group(1).replace("'model.", f"'{tmp_path}/model.")
    exec(line, {"torch": torch, "safetensors": safetensors})
    assert safetensors.torch.load_file(tmp_path / "model.safetensors")["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
