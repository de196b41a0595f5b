"""Pictures of any size inside a TFLite file: resized, cropped and normalised by operations that TFLite has.

TFLite's own resizing has neither bicubic interpolation nor antialiasing, which all other commands use; the products of
`lambda_keras.layers.Preprocessing` have both.
"""

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.models.record import Record


class PictureClassifier(tf.Module):
    """A classifier of one picture, which it makes ready itself.

    Its one signature takes `images`, uint8 [1, height, width, channels], upright, of any height and width, and returns
    `probabilities`, float32 [1, classes].

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        record: Its record.
    """

    def __init__(self, model: keras.Model, record: Record):
        super().__init__()
        self.model_variables = [variable.value for variable in model.variables]
        prepare = lk.layers.Preprocessing(record.preprocessor)
        images = tf.TensorSpec([1, None, None, record.preprocessor.channels], tf.uint8, name="images")

        @tf.function(input_signature=[images], autograph=False)
        def probabilities(images):
            return {"probabilities": tf.cast(model(prepare(images), training=False), tf.float32)}

        self.probabilities = probabilities
