"""Every attribute of Keras without a public name that the library uses: where Keras moves one, mend it here.

A node is one call of a layer or an operation in the graph of a functional model. Its class has no public name; the
library reads its `operation`, `input_tensors`, `output_tensors`, `arguments` and `is_input`.
"""

import contextlib
import inspect
import io
import traceback
import typing
from collections.abc import Iterator

import keras
from keras.src.backend.common import global_state
from keras.src.saving import saving_lib, serialization_lib


def nodes(model: keras.Model) -> Iterator[typing.Any]:
    """The nodes of a functional model's graph, of this model alone, from its outputs to its inputs."""
    for depth in sorted(model._nodes_by_depth):
        yield from model._nodes_by_depth[depth]


def producer(tensor: keras.KerasTensor) -> typing.Any:
    """The layer or operation whose call returned a symbolic tensor."""
    return tensor._keras_history.operation


def node_of(tensor: keras.KerasTensor) -> typing.Any:
    """The node that returned a symbolic tensor."""
    return producer(tensor)._inbound_nodes[tensor._keras_history.node_index]


def has_graph(layer: typing.Any) -> bool:
    """Whether calling this runs a graph that Keras knows, and no `call` of the user's."""
    return (
        isinstance(layer, keras.Model)
        and bool(getattr(layer, "inputs", None))
        and type(layer).call.__module__.startswith("keras.")
    )


def is_for_inference(node: typing.Any) -> bool:
    """Whether a call has its inputs only: no context, no mask, no `training=True`."""
    arguments = [*node.arguments.args[1:], *node.arguments.kwargs.values()]
    return all(argument is None or argument is False for argument in arguments)


def flat(model: keras.Model) -> keras.Model:
    """The graph of a model in inference, in which models inside it are replaced by what they are made of.

    Args:
        model: A model that `has_graph`.

    Returns:
        A functional `keras.Model` of the same layers, which it shares, and of the same inputs. A model inside whose
        graph Keras does not know stays one layer, and so does one that is called with `training=True`. Names are
        unique in a functional model: where models inside share names of layers, all stay as they are.
    """
    graph = keras.Model(model.inputs, model.outputs, name=model.name)
    operations = set(_operations_inside(graph))
    names = {operation.name for operation in operations}
    if len(names) < len(operations) or not any(_is_inlined(node) for node in nodes(graph)):
        return graph
    return keras.Model(graph.inputs, _call_flat(graph, graph.inputs), name=model.name)


def _operations_inside(graph):
    for node in nodes(graph):
        if _is_inlined(node):
            yield from _operations_inside(keras.Model(node.operation.inputs, node.operation.outputs))
        elif not node.is_input:
            yield node.operation


def _is_inlined(node):
    return has_graph(node.operation) and is_for_inference(node)


def _call_flat(graph, inputs):
    """The outputs of a functional model for other symbolic inputs, models inside it taken apart."""
    tensors = dict(zip(map(id, graph.inputs), inputs, strict=True))
    for node in reversed(list(nodes(graph))):
        if node.is_input:
            continue
        if _is_inlined(node):
            inner = keras.Model(node.operation.inputs, node.operation.outputs)
            outputs = _call_flat(inner, [tensors[id(tensor)] for tensor in node.input_tensors])
        else:
            positional, named = call_arguments(node, tensors)
            outputs = keras.tree.flatten(node.operation(*positional, **named))
        tensors.update(zip(map(id, node.output_tensors), outputs, strict=True))
    return [tensors[id(tensor)] for tensor in graph.outputs]


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


class MomentsOfBatch(keras.layers.BatchNormalization):
    """Keras' layer, which asks `moments` where it normalises by the statistics of a batch."""

    def moments(self, inputs: typing.Any, axes: list[int], mask: typing.Any) -> tuple[typing.Any, typing.Any]:
        """Mean and variance of the inputs over these axes, `[channels]` both; here as Keras computes them."""
        return super()._moments(inputs, mask)

    def _moments(self, inputs, mask):
        return self.moments(inputs, self._reduction_axes, mask)


def makes_shared_once() -> bool:
    """Whether an object that several layers of a configuration share is made once now, as `load_model` does."""
    return global_state.get_global_attribute("shared_objects/id_to_obj_map") is not None


@contextlib.contextmanager
def shared_once() -> Iterator[None]:
    """Makes an object that several layers of a configuration share once, and so in all that is made in the context."""
    with contextlib.nullcontext() if makes_shared_once() else serialization_lib.ObjectSharingScope():
        yield


def copies_of_clone_model() -> dict[typing.Any, typing.Any] | None:
    """What the `keras.models.clone_model` that runs now has copied: each copy by the `id` of what it is a copy of.

    `clone_model` makes each layer of its configuration and tells it nothing of the others: only its function knows.

    Returns:
        Its own dict, which one copy may add to for the next ones; `None` where no `clone_model` runs.
    """
    for frame, _ in traceback.walk_stack(inspect.currentframe()):
        if frame.f_code.co_name == "wrapped_clone_function" and frame.f_globals["__name__"].startswith("keras."):
            return frame.f_locals["cache"]
    return None


def weights_h5(model: keras.Model) -> bytes:
    """The content of the file that `model.save_weights` writes.

    HDF5 ends the process where it cannot finish a file on a full disk, which memory is not.
    """
    content = io.BytesIO()
    store = saving_lib.H5IOStore(content, mode="w")
    saving_lib._save_state(model, weights_store=store, assets_store=None, inner_path="", visited_saveables=set())
    store.close()
    return content.getvalue()
