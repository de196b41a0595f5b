"""The lambda layer as the paper's listing has it, in plain Keras and TensorFlow: einsum, nothing planned.

LambdaNetworks, figure 3 ("multi-query lambda layer"), https://arxiv.org/abs/2102.08602: what someone would write who
follows it line by line. The embeddings of all pairs are gathered from a table of relative ones.
"""

import keras
import numpy as np
import tensorflow as tf


class PaperLayer(keras.layers.Layer):
    """A lambda layer with 4 heads and key depth 16, on maps of known sides.

    Args:
        scope_size: Side of the scope, odd; `None` for a global one.
    """

    def __init__(self, scope_size):
        super().__init__()
        self.scope_size = scope_size
        self.heads, self.key_depth = 4, 16

    def build(self, shape):
        """Makes the projections, the normalisations, the table and its index."""
        _, height, width, channels = shape
        self.queries = keras.layers.Dense(self.heads * self.key_depth, use_bias=False)
        self.keys = keras.layers.Dense(self.key_depth, use_bias=False)
        self.values = keras.layers.Dense(channels // self.heads, use_bias=False)
        self.normalize_queries, self.normalize_values = (keras.layers.BatchNormalization() for _ in range(2))
        sides = (2 * height - 1, 2 * width - 1) if self.scope_size is None else (self.scope_size,) * 2
        self.table = self.add_weight(shape=(sides[0] * sides[1], self.key_depth), initializer="random_normal")
        places = np.indices((height, width)).reshape(2, -1)
        offsets = places[:, None, :] - places[:, :, None] + np.array(sides)[:, None, None] // 2
        self.reached = ((offsets >= 0) & (offsets < np.array(sides)[:, None, None])).all(axis=0)
        self.index = np.where(self.reached, offsets[0] * sides[1] + offsets[1], 0)

    def call(self, x, training=False):
        """Returns `[batch, height, width, channels]`."""
        _, height, width, channels = x.shape
        positions = height * width
        x = tf.reshape(x, (-1, positions, channels))
        queries = self.normalize_queries(self.queries(x), training=training)
        queries = tf.reshape(queries, (-1, positions, self.heads, self.key_depth))
        keys = tf.nn.softmax(self.keys(x), axis=1)
        values = self.normalize_values(self.values(x), training=training)
        embeddings = tf.gather(self.table, self.index)
        if not self.reached.all():
            embeddings *= tf.constant(self.reached[..., None], embeddings.dtype)
        content = tf.einsum("bmk,bmv->bkv", keys, values)
        position = tf.einsum("nmk,bmv->bnkv", embeddings, values)
        outputs = tf.einsum("bnhk,bnkv->bnhv", queries, content[:, None] + position)
        return tf.reshape(outputs, (-1, height, width, channels))
