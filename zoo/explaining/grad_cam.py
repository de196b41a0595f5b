"""Grad-CAM: where the last map of a network raises the score of a class; the usual explanation of a network."""

import numpy as np
import tensorflow as tf

from lambda_keras.keras_internals import flat, nodes
from lambda_keras.zoo.models.logits import LOGITS, with_logits


def grad_cam(model, image, label):
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
    model = flat(model)
    run = with_logits(model, {"map": _last_map(model)})
    image = tf.convert_to_tensor(image[None], model.inputs[0].dtype)
    with tf.GradientTape() as tape:
        # A model for inference has no trainable variables that the tape would follow.
        tape.watch(image)
        outputs = run(image)
        score = outputs[LOGITS][0, label]
    gradient = tape.gradient(score, outputs["map"])
    weights = tf.reduce_mean(tf.cast(gradient, tf.float32), axis=(1, 2))
    summed = tf.einsum("bhwc,bc->hw", tf.cast(outputs["map"], tf.float32), weights)
    return np.maximum(summed.numpy(), 0)


def _last_map(model):
    """The last tensor [batch, height, width, channels] on the way to the classifier."""
    return next(tensor for node in nodes(model) for tensor in node.output_tensors if len(tensor.shape) == 4)
