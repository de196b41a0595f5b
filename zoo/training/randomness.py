"""Random numbers of dropout and stochastic depth as a function of the step, so that a resumed run draws the same.

Keras keeps the state of its seed generators in variables that are in no checkpoint, and that all replicas share.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from lambda_keras.keras_internals import sublayers


def derive_seeds(model: keras.Model, seed: int, passes: tf.Variable) -> None:
    """Makes every seed generator of a model a function of the seed, its place in the model, the pass and the replica.

    Args:
        model: A Keras model. Its own states of seed generators are no longer used.
        seed: The recipe's seed.
        passes: An integer variable that counts the forward passes of the training.
    """
    layers = [layer for layer in sublayers(model) if hasattr(layer, "seed_generator")]
    for place, layer in enumerate(layers):
        layer.seed_generator.next = functools.partial(_next, seed, place + 1, passes)


def pass_seed(seed: int, place: int, passes: tf.Variable | tf.Tensor) -> tf.Tensor:
    """The seed of one random choice in one forward pass on one replica.

    Args:
        seed: The recipe's seed.
        place: A number that distinguishes this choice from the others of a pass.
        passes: The number of the pass.

    Returns:
        An int32 tensor `[2]` for TensorFlow's stateless functions. Call it in a replica context.
    """
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    folded = tf.random.experimental.stateless_fold_in([seed, place], passes)
    return tf.random.experimental.stateless_fold_in(folded, replica)


def stream_seed(seed: int, stream: int) -> int:
    """The seed of one of several streams of images, so that the same position of two is not varied alike.

    Args:
        seed: The recipe's seed.
        stream: The number of the stream; the first, 0, has the recipe's seed itself.
    """
    return seed if stream == 0 else int(np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(1)[0] >> 1)


def _next(seed, place, passes, ordered=True):
    return pass_seed(seed, place, passes)
