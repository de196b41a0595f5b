"""Refuses files of pickles, PyTorch's checkpoints among them: reading one runs whatever its author put into it."""

import os

from lambda_keras.weights.errors import WeightsError

SUFFIXES = (".pth", ".pth.tar", ".pt", ".bin", ".pkl", ".pickle", ".ckpt")


def refuse_pickle(name: str | os.PathLike) -> None:
    """Raises if a file's name is that of a pickle.

    A TensorFlow checkpoint is named by the prefix of its files, which may end in `.ckpt` too: callers that take one
    look for its `.index` file first.

    Args:
        name: Name, path or URL of a file.

    Raises:
        WeightsError: It is; the message has a safe way to convert it.

    Example:
        >>> refuse_pickle("model.safetensors")
    """
    name = str(name)
    if name.lower().endswith(SUFFIXES):
        stem = name.rpartition("/")[2].partition(".")[0]
        raise WeightsError(
            f"{name!r} is a pickle, which can run any code when it is read; weights are read from .safetensors, "
            ".weights.h5, .keras and TensorFlow checkpoints. PyTorch converts it, reading nothing but tensors: "
            f"`safetensors.torch.save_file(torch.load({name!r}, weights_only=True), '{stem}.safetensors')`"
        )
