"""The network of a classifier as it is served: logits instead of probabilities, and its features on request."""

import re
from collections.abc import Callable

import keras
import tensorflow as tf

from lambda_keras.keras_internals import flat, nodes
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.logits import logits_node, with_logits

EMBEDDING = "embedding"


def network(model: keras.Model, features: bool = False) -> Callable:
    """Makes a function of a classifier that returns its logits, not log-probabilities, which lack their constant.

    Args:
        model: A classifier that ends in softmax, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        features: Whether to return what leads to them too: the pooled embedding and the maps of the stages.

    Returns:
        A function of normalised images, float32 [batch, height, width, channels], to a dict of float32 tensors:
        `logits` [batch, classes], and with `features` also `embedding` [batch, channels] and `c2` to `c5` [batch,
        height / stride, width / stride, channels], as far as the model has layers of these names, such as
        `c4_block2_relu`. The maps are those of `features_only=True` of `lambda_keras.create_model`.

    Raises:
        UserError: `features` of a model without a pooled embedding.

    Example:
        >>> model = lk.create_model("lambda_resnet_tiny", classes=10)
        >>> sorted(network(model, features=True)(np.zeros((1, 32, 32, 3), "float32")))
        ['c2', 'c3', 'c4', 'c5', 'embedding', 'logits']
    """
    model = flat(model)
    body = with_logits(model, _features(model) if features else {})

    def run(images):
        return {name: tf.cast(output, tf.float32) for name, output in body(images).items()}

    return run


def _features(model):
    """The tensors of the embedding, which is what the layer of the logits takes, and of the stages."""
    classifier = logits_node(model)
    embedding = classifier.input_tensors[0]
    if len(embedding.shape) != 2:
        raise UserError(
            f"--features: the layer {classifier.operation.name!r} that makes the logits takes "
            f"{tuple(embedding.shape)}, expected a pooled embedding [batch, channels]; leave out --features"
        )
    features = {EMBEDDING: embedding}
    # From the input to the output: of a stage, the last one stays.
    for node in reversed(list(nodes(model))):
        stage = re.match(r"(c[2-5])_block\d+_", node.operation.name)
        if stage:
            features[stage[1]] = node.output_tensors[0]
    return features
