"""Grad-CAM: where the last map of a network raises the score of a class; the usual explanation of a network."""

import functools

import keras
import numpy as np
import tensorflow as tf

from lambda_keras.keras_internals import flat, nodes
from lambda_keras.zoo.models.logits import LOGITS, with_logits


def grad_cam(model: keras.Model, image: np.ndarray, label: int) -> np.ndarray:
    """Computes the Grad-CAM of a class (Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391).

    Each channel of the network's last map is weighted by the mean over positions of its gradient of the class's logit;
    where their sum is negative, the result is zero.

    Args:
        model: A classifier that ends in softmax, as `lambda_keras.zoo.models.loading.load_classifier` returns it, on
            TensorFlow.
        image: One image as the model wants it, preprocessed, `[height, width, channels]`.
        label: Index of the class.

    Returns:
        float32 `[map height, map width]`, an array, zero or positive.

    Example:
        >>> model = lk.create_model("lambda_resnet_tiny")
        >>> grad_cam(model, np.zeros((32, 32, 3), "float32"), label=3).shape
        (8, 8)
    """
    image = tf.convert_to_tensor(image[None], model.inputs[0].dtype)
    return _graph_of(model)(image, tf.constant(label)).numpy()


# The graph of the last model, for its next image.
@functools.lru_cache(maxsize=1)
def _graph_of(model):
    """A graph: called eagerly, a large image takes several times the memory."""
    model = flat(model)
    run = with_logits(model, {"map": _last_map(model)})

    @tf.function
    def grad_cam_of(image, label):
        with tf.GradientTape() as tape:
            # A model for inference has no trainable variables that the tape would follow.
            tape.watch(image)
            outputs = run(image)
            score = outputs[LOGITS][0, label]
        gradient = tape.gradient(score, outputs["map"])
        weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=(1, 2))
        return tf.nn.relu(tf.einsum("bhwc,bc->hw", tf.cast(outputs["map"], tf.float32), weights))

    return grad_cam_of


def _last_map(model):
    """The last tensor [batch, height, width, channels] on the way to the classifier."""
    return next(tensor for node in nodes(model) for tensor in node.output_tensors if len(tensor.shape) == 4)
