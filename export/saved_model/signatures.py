"""What a SavedModel offers to a model server: signatures that take images as clients have them."""

import os
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import lambda_keras as lk
from lambda_keras.export.labels import LABELS, check_labels, labels_text
from lambda_keras.export.network import network
from lambda_keras.export.saved_model.entry import check_shape, finite_images, spoil
from lambda_keras.export.saved_model.image_bytes import decode_valid
from lambda_keras.export.saved_model.joined_vectors import join_vectors
from lambda_keras.export.standard_error import standard_error_to
from lambda_keras.export.tflite.signatures import SERVING_DEFAULT
from lambda_keras.zoo.data.images.valid_images import to_places
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS
from lambda_keras.zoo.models.logits import LOGITS
from lambda_keras.zoo.models.record import Record

CLASSIFY_UINT8 = "classify_uint8"
CLASSIFY_BYTES = "classify_bytes"
# Of a detector, see `lambda_keras.export.detection.signatures`.
DETECT_BYTES = "detect_bytes"
FEATURES = "features"
MOST_CLASSES = 5


class ServerModel(tf.Module):
    """The signatures of a classifier for servers, over the numbers of the model, each of which is written once.

    With a record, preprocessing is inside and there are

    * `serving_default`: `images`, float32 [batch, height, width, channels] with values from 0 to 255, to `logits` and
      `probabilities`, float32 [batch, classes];
    * `classify_uint8`: the same of uint8 images, a quarter of the bytes of a request. A signature of TensorFlow has
      one dtype for each input, so that one cannot take both;
    * `classify_bytes`: `image_bytes`, strings [batch], each a JPEG, PNG, BMP, GIF or WebP file, to `classes`,
      strings [batch, k], and `scores`, float32 [batch, k], the most probable of the k = 5 classes (or all of fewer)
      first, and `valid`, bool [batch]: false for a file that is no image or too large, whose classes are empty and
      scores 0.

    Without one it is not known how images are normalised and what the classes are called: `serving_default` takes
    images as the model does, and the other two are missing. `features`, on request, takes the images of
    `serving_default` and returns what `lambda_keras.export.network.network` does but the logits.

    Inputs of another shape, and float images of which none is finite, fail with words that name what is expected; an
    image with NaN or infinity among others has NaN in its row, see `lambda_keras.export.saved_model.entry`.

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        record: Its record.
        features: Whether to offer `features`.
        freeze: Whether to write the variables as constants of the graph.
        most_pixels: How many pixels a file of `classify_bytes` may have.

    Attributes:
        functions: The signatures by name, as `tf.function`s.

    Raises:
        UserError: The name of a class has a line break, or `features` of a model that has no pooled embedding.
    """

    def __init__(
        self,
        model: keras.Model,
        record: Record | None = None,
        features: bool = False,
        freeze: bool = False,
        most_pixels: int = MOST_SERVED_PIXELS,
    ):
        super().__init__()
        self._record, self._freeze, self._most_pixels = record, freeze, most_pixels
        self._shape = [None, *model.input_shape[1:]]
        images = tf.TensorSpec(self._shape, tf.float32)
        run = network(model, features)
        if freeze:
            self._network = _frozen(tf.function(run, input_signature=[images]).get_concrete_function())
        else:
            run, self.model_variables = join_vectors(run, model.variables)
            self._network = tf.function(run, input_signature=[images])
        signatures = {SERVING_DEFAULT: self._classify_images(tf.float32)}
        if features:
            signatures[FEATURES] = self._features()
        if record:
            check_labels(record.class_names)
            signatures[CLASSIFY_UINT8] = self._classify_images(tf.uint8)
            signatures[CLASSIFY_BYTES] = self._classify_bytes(record)
        self.functions = signatures

    def save(self, folder: Path) -> None:
        """Writes the SavedModel into `folder`; with a record, its labels are `assets/labels.txt`, one a line."""
        with tempfile.TemporaryDirectory(prefix="lambda-export-") as name:
            if self._record:
                labels = Path(name, LABELS)
                labels.write_text(labels_text(self._record.class_names), encoding="utf-8")
                self.labels = tf.saved_model.Asset(str(labels))
            # In the gradient of SiLU, constants of a frozen graph cannot be saved; nobody trains what is frozen.
            options = tf.saved_model.SaveOptions(experimental_custom_gradients=not self._freeze)
            tf.saved_model.save(self, str(folder), signatures=self.functions, options=options)

    def _run(self, images):
        if self._record:
            preprocessor = self._record.preprocessor
            images = lk.preprocess_input(images, mean=preprocessor.mean, std=preprocessor.std)
        return self._network(images)

    def _run_checked(self, images):
        images = check_shape(images, "images")
        if not images.dtype.is_floating:
            return self._run(images)
        finite = finite_images(images, "images")
        return spoil(self._run(images), finite)

    def _classify_images(self, dtype):
        @tf.function(input_signature=[tf.TensorSpec(self._shape, dtype, name="images")])
        def classify(images):
            logits = self._run_checked(images)[LOGITS]
            return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

        return classify

    def _features(self):
        @tf.function(input_signature=[tf.TensorSpec(self._shape, tf.float32, name="images")])
        def features(images):
            outputs = self._run_checked(images)
            return {name: outputs[name] for name in outputs if name != LOGITS}

        return features

    def _classify_bytes(self, record):
        names = record.class_names

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def classify(image_bytes):
            image_bytes = check_shape(image_bytes, "image_bytes")
            images, rows = decode_valid(image_bytes, record.preprocessor, self._most_pixels)
            probabilities = tf.nn.softmax(self._run(images)[LOGITS])
            scores, labels = tf.math.top_k(probabilities, k=min(MOST_CLASSES, len(names)))
            batch = tf.size(image_bytes, tf.int64)
            return {
                "classes": to_places(tf.gather(tf.constant(names), labels), rows, batch),
                "scores": to_places(scores, rows, batch),
                "valid": to_places(tf.ones_like(labels[:, 0], tf.bool), rows, batch),
            }

        return classify


def _frozen(function):
    """The function with its variables as constants; all signatures call this one, so that they share them."""
    with standard_error_to(Path(os.devnull)):  # where TensorFlow reports its devices
        frozen = convert_variables_to_constants_v2(function)
    # It forgets the names of the outputs.
    return lambda images: tf.nest.pack_sequence_as(function.structured_outputs, frozen(images))
