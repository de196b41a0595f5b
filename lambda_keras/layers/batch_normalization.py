"""Batch normalisation with TensorFlow's fused kernel."""

import typing

import keras
from keras import ops

from lambda_keras.keras_internals import MomentsOfBatch

# Numbers up to which the kernel takes longer to start than a few plain operations take as a whole.
FEW_NUMBERS = 2**16


@keras.saving.register_keras_serializable(package="lambda_keras")
class BatchNormalization(MomentsOfBatch):
    """`keras.layers.BatchNormalization`, computed by TensorFlow's fused kernel where that backend runs.

    Arguments, variables and numbers are those of the Keras layer, whose composed form costs a training step of
    LambdaResNet-50 about a seventh of its time. Scale, offset and statistics are computed in float32, also where a
    policy of half precision stores them in fewer bits. Other backends, masks and other axes than the last run Keras'
    own code. So do synchronised statistics, but the replicas of TensorFlow sum them up at once instead of one after the
    other.

    Example:
        >>> y = lk.layers.BatchNormalization(momentum=0.9)(keras.Input((32, 32, 16)))
    """

    def call(self, inputs: typing.Any, training: bool | None = None, mask: typing.Any = None) -> typing.Any:
        """Normalises `[batch, *grid, channels]` over all axes but the last; same shape and dtype."""
        rank = len(inputs.shape)
        fused = (
            keras.backend.backend() == "tensorflow"
            and inputs.dtype in ("float32", "float16", "bfloat16")
            and rank > 1
            and self.axis in (-1, rank - 1)
            and mask is None
            and not self.synchronized
            # Keras has it from 3.15 on.
            and not getattr(self, "renorm", False)
            and self.scale
            and self.center
        )
        if not fused:
            return super().call(inputs, training=training, mask=mask)
        updates = bool(training) and self.trainable
        if not updates and rank == 2 and (inputs.shape[0] or 1) * inputs.shape[1] <= FEW_NUMBERS:
            return self._composed_call(inputs)
        return self._fused_call(inputs, updates)

    def moments(self, inputs: typing.Any, axes: list[int], mask: typing.Any) -> tuple[typing.Any, typing.Any]:
        """Mean and variance of the inputs; of those of all replicas where they are synchronised."""
        at_once = self.synchronized and isinstance(self.axis, int) and mask is None
        if at_once and keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # There is none where the layer is called outside of `strategy.run`.
            replica = tf.distribute.get_replica_context()
            if replica is not None:
                return _moments_over_replicas(inputs, axes, replica)
        return super().moments(inputs, axes, mask)

    def _composed_call(self, inputs):
        scale = _float32(self.gamma) * ops.rsqrt(_float32(self.moving_variance) + self.epsilon)
        outputs = _float32(inputs) * scale + (_float32(self.beta) - _float32(self.moving_mean) * scale)
        return ops.cast(outputs, self.compute_dtype)

    def _fused_call(self, inputs, training):
        import tensorflow as tf

        shape = ops.shape(inputs)
        # The kernel takes images; every other rank is an image of one column.
        images = inputs if len(shape) == 4 else ops.reshape(inputs, (-1, 1, 1, shape[-1]))
        moving_mean, moving_variance = _float32(self.moving_mean), _float32(self.moving_variance)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=_float32(self.gamma),
            offset=_float32(self.beta),
            mean=tf.zeros([0]) if training else moving_mean,
            variance=tf.zeros([0]) if training else moving_variance,
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            data_format="NHWC",
            is_training=training,
        )
        if training:
            # The kernel returns the unbiased variance; Keras' moving variance is the biased one.
            count = tf.cast(tf.size(images) // shape[-1], variance.dtype)
            variance = variance * ((count - 1.0) / count)
            self.moving_mean.assign(moving_mean * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(moving_variance * self.momentum + variance * (1.0 - self.momentum))
        outputs = outputs if len(shape) == 4 else ops.reshape(outputs, shape)
        return ops.cast(outputs, self.compute_dtype)


def _moments_over_replicas(inputs, axes, replica):
    """Mean and variance of the inputs of all replicas, in one sum over them; the formula is Keras'."""
    import tensorflow as tf

    total = tf.reduce_sum(inputs, axes)
    channels = tf.size(total)
    count = tf.cast(tf.size(inputs) // channels, inputs.dtype)
    sums = tf.concat([total, tf.reduce_sum(tf.square(inputs), axes), [count]], axis=0)
    sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    means = tf.math.divide_no_nan(sums[:-1], sums[-1])
    mean = means[:channels]
    return mean, tf.maximum(means[channels:] - tf.square(mean), 0.0)


def _float32(tensor):
    """A tensor as the kernel takes it: of a policy such as bfloat16, variables are of half precision too."""
    return ops.cast(tensor, "float32")
