"""What an exported model offers: TensorFlow functions over the model's own variables."""

import keras
import tensorflow as tf

SERVING_DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


class ServedClassifier(tf.Module):
    """The function of a classifier as it is served.

    `probabilities` takes `images`, float32 [batch, height, width, channels], normalised as the model takes them, and
    returns `probabilities`, float32 [batch, classes].

    It holds the `tf.Variable`s under the Keras variables, not the Keras model: `tf.saved_model.save` then
    writes each weight once, and nothing that would need Keras to load. (`keras.export.ExportArchive` writes
    every weight twice.)

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        batch_size: How many images a batch must have; any number by default.
    """

    def __init__(self, model: keras.Model, batch_size: int | None = None):
        super().__init__()
        self.model_variables = [variable.value for variable in model.variables]
        images = tf.TensorSpec([batch_size, *model.input_shape[1:]], tf.float32, name="images")

        @tf.function(input_signature=[images])
        def probabilities(images):
            return {"probabilities": tf.cast(model(images, training=False), tf.float32)}

        self.probabilities = probabilities
