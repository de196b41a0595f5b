"""Pictures of any size inside a TFLite file: resized, cropped and normalised by operations that TFLite has.

TFLite's own resizing has neither bicubic interpolation nor antialiasing, which all other commands use
(`lambda_keras.zoo.data.resizing`). But resizing is a product with a matrix for each side, and a matrix can be computed
from the picture's size: a weight for each pixel of the result and each of the picture.
"""

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.models.record import Record


def _triangle(distance):
    return tf.nn.relu(1 - distance)


def _cubic(distance):
    """Keys' kernel with a = -0.5 (https://doi.org/10.1109/TASSP.1981.1163711); 0 from a distance of 2 on."""
    near = tf.minimum(distance, 1)
    far = tf.clip_by_value(distance, 1, 2)
    of_near = (1.5 * near - 2.5) * near * near + 1
    of_far = ((-0.5 * far + 2.5) * far - 4) * far + 2
    # Where the distance is above 1, the former is 0; below, the latter.
    return of_near + of_far


_KERNELS = {"bilinear": _triangle, "bicubic": _cubic}


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
        preprocessor = record.preprocessor
        self.model_variables = [variable.value for variable in model.variables]
        images = tf.TensorSpec([1, None, None, preprocessor.channels], tf.uint8, name="images")

        @tf.function(input_signature=[images], autograph=False)
        def probabilities(images):
            ready = lk.preprocess_input(prepared(images, preprocessor), mean=preprocessor.mean, std=preprocessor.std)
            return {"probabilities": tf.cast(model(ready, training=False), tf.float32)}

        self.probabilities = probabilities


def prepared(images: tf.Tensor, preprocessor: Preprocessor) -> tf.Tensor:
    """Resizes and crops one picture, as `lambda_keras.zoo.data.preprocessing.prepare` does.

    Args:
        images: uint8 [1, height, width, channels].
        preprocessor: The model's.

    Returns:
        float32 [1, image_size, image_size, channels], whole numbers from 0 to 255.
    """
    size, channels = preprocessor.image_size, preprocessor.channels
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    shorter = int(size / preprocessor.evaluation_crop)
    sides = [
        tf.maximum(side * shorter // tf.minimum(height, width), shorter) for side in (height, width)
    ]  # of the whole picture, resized
    rows, columns = (
        _weights(side, resized, size, _KERNELS[preprocessor.interpolation])
        for side, resized in zip((height, width), sides, strict=True)
    )
    pixels = tf.reshape(tf.cast(images, tf.float32), tf.stack([height, width * channels]))
    narrow = tf.reshape(tf.matmul(rows, pixels), tf.stack([size, width, channels]))
    square = tf.reshape(tf.matmul(columns[tf.newaxis], narrow), [1, size, size, channels])
    # Bicubic overshoots at edges.
    return tf.clip_by_value(tf.round(square), 0, 255)


def _weights(side, resized, size, kernel):
    """What each pixel of the picture's side counts for each of the middle `size` of its `resized` ones.

    The arithmetic is that of TensorFlow's ScaleAndTranslate with antialiasing.

    Args:
        side: Pixels of the picture along it, int32 scalar.
        resized: Pixels of the whole picture along it after resizing, int32 scalar.
        size: How many of these are kept, in the middle.
        kernel: Function of the distance of two pixels.

    Returns:
        float32 [size, side]; each row sums to 1.
    """
    side, resized = tf.cast(side, tf.float32), tf.cast(resized, tf.float32)
    step = side / resized
    corner = tf.round((resized - size) / 2)
    centres = (tf.range(size, dtype=tf.float32) + 0.5 + corner) * step
    pixels = tf.range(side) + 0.5
    # Where there are fewer pixels than before, each is made of more.
    distances = tf.abs(pixels[tf.newaxis] - centres[:, tf.newaxis]) / tf.maximum(step, 1)
    weights = kernel(distances)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
