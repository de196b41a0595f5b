"""What is averaged before a model is evaluated, saved or exported: weights over time, statistics over replicas."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.keras_internals import moving_averages, sublayers
from lambda_keras.zoo.training.optimizers import inner_optimizer


class Averages:
    """The averages of a model in training.

    Args:
        model: A Keras model.
        optimizer: The optimizer, built, that keeps the moving average of the weights if there is one.
        strategy: The `tf.distribute.Strategy` that both were made under.

    Attributes:
        statistics: The variables of all BatchNorm layers' moving means and variances.
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, strategy: tf.distribute.Strategy):
        layers = batch_norms(model)
        self.statistics = [value.value for layer in layers for value in statistics_of(layer)]
        self._strategy = strategy
        self._replicas_differ = strategy.num_replicas_in_sync > 1 and not all(layer.synchronized for layer in layers)
        optimizer = inner_optimizer(optimizer)
        # Without a moving average there is nothing to exchange.
        averages = moving_averages(optimizer) if optimizer.use_ema else ()
        weights = model.trainable_variables if optimizer.use_ema else ()
        self._pairs = [(weight.value, average.value) for weight, average in zip(weights, averages, strict=True)]
        self._exchange = tf.function(lambda: strategy.run(self._exchange_on_replica), autograph=False)
        self._share = tf.function(lambda: strategy.run(self._share_on_replica), autograph=False)

    @contextlib.contextmanager
    def in_place_of_weights(self) -> Iterator[None]:
        """Gives the model its averaged weights for the length of a block, and its own ones back after it.

        The exchange copies bits, so that training continues as if nothing had happened. Without a moving average the
        weights stay.
        """
        if not self._pairs:
            yield
            return
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def share_statistics(self) -> None:
        """Gives every replica the mean over the replicas of BatchNorm's moving statistics.

        Each replica gathers those of its own images, unless they are synchronised. They do not act on the training and
        their update is linear, so it does not matter when this is done; but it must be done before they are read.
        """
        if self._replicas_differ:
            self._share()

    def _exchange_on_replica(self):
        for weight, average in self._pairs:
            value = tf.identity(weight)
            weight.assign(average)
            average.assign(value)

    def _share_on_replica(self):
        values = [tf.identity(value) for value in self.statistics]
        means = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)
        for value, mean in zip(self.statistics, means, strict=True):
            value.assign(mean)


def statistics_of(layer: lk.layers.BatchNormalization) -> tuple[keras.Variable, keras.Variable]:
    """The two variables of a BatchNorm layer's moving statistics."""
    return layer.moving_mean, layer.moving_variance


def batch_norms(model: keras.Model) -> list[lk.layers.BatchNormalization]:
    """All BatchNorm layers of a model, those inside other layers too."""
    return [layer for layer in sublayers(model) if isinstance(layer, lk.layers.BatchNormalization)]
