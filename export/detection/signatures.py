"""What the SavedModel of a detector offers: signatures that take pictures as clients have them."""

import tempfile
from pathlib import Path

import tensorflow as tf

from lambda_keras.export.labels import LABELS, check_labels, labels_text
from lambda_keras.export.saved_model.entry import check_shape
from lambda_keras.export.saved_model.image_bytes import LARGE_PIXELS, PARALLEL
from lambda_keras.export.saved_model.signatures import DETECT_BYTES
from lambda_keras.export.tflite.signatures import SERVING_DEFAULT
from lambda_keras.zoo.data.images.valid_images import results_of_valid, to_places
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS
from lambda_keras.zoo.detection.data import pictures
from lambda_keras.zoo.detection.loading import Detector


class ServedDetector(tf.Module):
    """The signatures of a detector for servers, over the variables of the model, each of which is written once.

    * `serving_default`: `images`, uint8 [batch, height, width, 3], pictures of any one size;
    * `detect_bytes`: `image_bytes`, strings [batch], each a JPEG, PNG, BMP, GIF or WebP file of a size of its own,
      which is turned as its EXIF data say.

    Both return, for the n objects that the detector finds at most, those of the highest score first,

    * `boxes`, float32 [batch, n, 4]: ymin, xmin, ymax and xmax in pixels of the picture,
    * `classes`, strings [batch, n], empty in rows without an object,
    * `scores`, float32 [batch, n], 0 to 1, 0 in rows without an object,
    * `masks`, float32 [batch, n, 28, 28], of a detector with masks: for each cell of the box the probability that it
      is of the object,

    and `detect_bytes` also `valid`, bool [batch]: false for a file that is no image or too large, whose rows have no
    objects.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
        most_pixels: How many pixels a file of `detect_bytes` may have.

    Attributes:
        functions: The signatures by name, as `tf.function`s.

    Raises:
        UserError: The name of a class has a line break.
    """

    def __init__(self, detector: Detector, most_pixels: int = MOST_SERVED_PIXELS):
        super().__init__()
        self._detector, self._most_pixels = detector, most_pixels
        check_labels(detector.record.class_names)
        # Not the Keras model: that would be written too.
        self.model_variables = [variable.value for variable in detector.model.variables]
        self.functions = {SERVING_DEFAULT: self._detect_images(), DETECT_BYTES: self._detect_bytes()}

    def save(self, folder: Path) -> None:
        """Writes the SavedModel into `folder`; its labels are `assets/labels.txt`, one a line."""
        with tempfile.TemporaryDirectory(prefix="lambda-export-") as name:
            labels = Path(name, LABELS)
            labels.write_text(labels_text(self._detector.record.class_names), encoding="utf-8")
            self.labels = tf.saved_model.Asset(str(labels))
            tf.saved_model.save(self, str(folder), signatures=self.functions)

    def _find(self, pictures_of_batch):
        found = self._detector.find(*pictures_of_batch)._asdict()
        if found["masks"] is None:
            del found["masks"]
        # Of no object the class is 0.
        names = tf.constant(["", *self._detector.record.class_names])
        return {**found, "classes": tf.gather(names, found["classes"])}

    def _detect_images(self):
        shape = [None, None, None, pictures.CHANNELS]

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, name="images")], autograph=False)
        def detect(images):
            return self._find(pictures.fit(check_shape(images, "images"), self._detector.image_size))

        return detect

    def _detect_bytes(self):
        size = self._detector.image_size

        def read(encoded):
            return pictures.read(encoded, size, self._most_pixels, LARGE_PIXELS)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")], autograph=False)
        def detect(image_bytes):
            image_bytes = check_shape(image_bytes, "image_bytes")
            batch, places = results_of_valid((image_bytes,), read, pictures.spec(size), PARALLEL)
            count = tf.size(image_bytes, tf.int64)
            outputs = {name: to_places(values, places, count) for name, values in self._find(batch).items()}
            return {**outputs, "valid": to_places(tf.ones_like(batch.size[:, 0], tf.bool), places, count)}

        return detect
