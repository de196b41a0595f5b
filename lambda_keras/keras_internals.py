"""Every attribute of Keras without a public name that the library uses: where Keras moves one, mend it here.

A node is one call of a layer or an operation in the graph of a functional model. Its class has no public name; the
library reads its `operation`, `input_tensors`, `output_tensors`, `arguments` and `is_input`.
"""

import io
import typing
from collections.abc import Iterator

import keras
from keras.src.saving import saving_lib


def nodes(model: keras.Model) -> Iterator[typing.Any]:
    """The nodes of a functional model's graph, of this model alone, from its outputs to its inputs."""
    for same_depth in model._nodes_by_depth.values():
        yield from same_depth


def producer(tensor: keras.KerasTensor) -> typing.Any:
    """The layer or operation whose call returned a symbolic tensor."""
    return tensor._keras_history.operation


def sublayers(layer: keras.Layer) -> list[keras.Layer]:
    """A layer or a model, and all layers inside it at any depth."""
    return list(layer._flatten_layers())


def padding_mask(tensor: typing.Any) -> typing.Any:
    """The mask that a layer such as `Embedding(mask_zero=True)` sent along with its output; `None` without one."""
    return getattr(tensor, "_keras_mask", None)


def moving_averages(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The averages over time of the trainable variables, in their order, of a built optimizer with `use_ema=True`."""
    return optimizer._model_variables_moving_average


def call_arguments(
    node: typing.Any, tensors: dict[int, typing.Any]
) -> tuple[tuple[typing.Any, ...], dict[str, typing.Any]]:
    """The positional and the named arguments of the call that a node stands for.

    Args:
        node: A node of a graph.
        tensors: For the `id` of each symbolic input of the node, what takes its place.

    Returns:
        A tuple and a dict.
    """
    return node.arguments.fill_in(tensors)


def weights_h5(model: keras.Model) -> bytes:
    """The content of the file that `model.save_weights` writes.

    HDF5 ends the process where it cannot finish a file on a full disk, which memory is not.
    """
    content = io.BytesIO()
    store = saving_lib.H5IOStore(content, mode="w")
    saving_lib._save_state(model, weights_store=store, assets_store=None, inner_path="", visited_saveables=set())
    store.close()
    return content.getvalue()
