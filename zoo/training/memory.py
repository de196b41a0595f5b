"""The memory that a training needs on each replica, estimated before it is started."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from lambda_keras.zoo.training.trainer import Trainer

# Operations that hand on their input's memory under another shape.
_VIEWS = ("ExpandDims", "Identity", "Reshape", "Squeeze")
# Constants and weights are not made by the forward pass.
_NOT_MADE = ("Const", "ReadVariableOp")


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes that a training needs on one replica at the end of a forward pass, when it needs the most.

    Attributes:
        weights: All variables of the model, float32 under every precision.
        gradients: Those of the trainable weights; with gradient accumulation those of the pass and their sum.
        optimizer: Momenta and the like: none, one or two numbers for each trainable weight.
        moving_average: The averaged weights, with `ema_decay`.
        activations: What the forward pass makes and the gradient reads.
        input_batch: The batch in work, as uint8 and normalised to float32, and the next one, uint8.
    """

    weights: int
    gradients: int
    optimizer: int
    moving_average: int
    activations: int
    input_batch: int

    @property
    def total(self) -> int:
        """The sum of all parts.

        Left out are TensorFlow itself (with CUDA about 1 GB), temporary memory of single operations and fragmentation.
        """
        return sum(dataclasses.astuple(self))


def estimate(trainer: Trainer[Any], images: int) -> Memory:
    """Estimates the memory that a replica needs.

    Args:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer`; what it was made with is all that counts, nothing is
            run.
        images: Images that a replica takes at a time.

    Returns:
        A `Memory`.

    Example:
        >>> f"{estimate(trainer, 128).total / 1e9:.1f} GB"  # doctest: +SKIP
        '15.1 GB'
    """
    return with_activations(trainer, images, trainer.model.input_shape[1:], activations(trainer.model, images))


def with_activations(trainer: Trainer[Any], images: int, shape: Sequence[int], kept_activations: int) -> Memory:
    """Estimates the memory that a replica needs where its activations are known.

    Args:
        trainer: As for `estimate`.
        images: As for `estimate`.
        shape: Of an image.
        kept_activations: From `kept`.
    """
    training = trainer.training
    trainable = _bytes(trainer.model.trainable_variables)
    moving_average = trainable if training.ema_decay else 0
    pixels = images * tf.TensorShape(shape).num_elements()
    return Memory(
        weights=_bytes(trainer.model.variables),
        gradients=trainable * (2 if training.gradient_accumulation > 1 else 1),
        optimizer=_bytes(trainer.optimizer.variables) - moving_average,
        moving_average=moving_average,
        activations=kept_activations,
        input_batch=pixels * (1 + 4 + 1),
    )


def activations(model: keras.Model, images: int) -> int:
    """Bytes that the gradient of a classifier needs of its forward pass, as `kept` counts them.

    Args:
        model: A functional `keras.Model` whose input has a known size, batch aside.
        images: Images in the batch.
    """

    def loss(batch):
        return tf.reduce_sum(tf.nn.log_softmax(model(batch, training=True)))

    batch = tf.TensorSpec((images, *model.input_shape[1:]), tf.float32)
    return kept(loss, model.trainable_variables, batch)


def kept(loss: Callable[..., tf.Tensor], variables: Sequence[keras.Variable], *inputs: Any) -> int:
    """Bytes of the tensors that a forward pass makes and the gradient reads, each counted once.

    TensorFlow traces forward pass and gradient into graphs, from which this is read; nothing is computed. XLA may keep
    less, since it computes cheap operations again, and a TPU may need more, since it pads channels to multiples of 128.
    On a CPU a lambda layer processes large maps in chunks, and may compute those again in the gradient; other devices
    keep them, and so need more than is estimated here. With `remat="blocks"` what a single block makes comes on top,
    while its gradient is computed.

    Args:
        loss: The forward pass.
        variables: Those that the gradient is of.
        *inputs: Specifications of what `loss` takes, `tf.TensorSpec`s of known shapes or structures of them.
    """
    made: set[str] = set()

    @tf.function(autograph=False)
    def gradient(*batch):
        with tf.GradientTape() as tape:
            value = loss(*batch)
        made.update(operation.name for operation in tf.compat.v1.get_default_graph().get_operations())
        return tape.gradient(value, [variable.value for variable in variables])

    operations = gradient.get_concrete_function(*inputs).graph.get_operations()
    tensors = (_owner(tensor) for operation in operations if operation.name not in made for tensor in operation.inputs)
    read = {tensor.name: tensor for tensor in tensors if tensor.op.name in made and tensor.op.type not in _NOT_MADE}
    # Of unknown shape are only buffers that GPUs alone fill.
    return sum(_size(tensor) for tensor in read.values() if tensor.shape.is_fully_defined())


def _owner(tensor):
    """The tensor whose memory this one shares."""
    while tensor.op.type in _VIEWS:
        tensor = tensor.op.inputs[0]
    return tensor


def _size(tensor):
    return tensor.shape.num_elements() * tensor.dtype.size


def _bytes(variables):
    return sum(_size(tf.TensorSpec(variable.shape, variable.dtype)) for variable in variables)
