"""Write a detector as a TFLite file of built-in operations: one picture at a time, on phones and small devices."""

from pathlib import Path

import tensorflow as tf

from lambda_keras.export.files import scratch_folder
from lambda_keras.export.labels import check_labels
from lambda_keras.export.tflite.metadata import add_labels
from lambda_keras.export.tflite.signatures import SERVING_DEFAULT
from lambda_keras.export.tflite.writer import check_float32, check_path, convert, put
from lambda_keras.wildcards import without_wildcards
from lambda_keras.zoo.detection.data.pictures import CHANNELS
from lambda_keras.zoo.detection.loading import Detector


class PortableDetector(tf.Module):
    """A detector of one picture, of operations that TFLite has.

    Its one signature takes `images`, uint8 [1, image_size, image_size, 3], a picture whose longer side is as long as
    the image and which is black at the bottom or on the right, and `sizes`, int32 [1, 2], height and width of the
    picture before it was resized. It returns `boxes`, `scores` and `masks` as `ServedDetector` does, and `classes`,
    int32 [1, n], from 1, which is the first line of `labels.txt`; 0 in rows without an object.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
    """

    def __init__(self, detector: Detector):
        super().__init__()
        self.model_variables = [variable.value for variable in detector.model.variables]
        images = tf.TensorSpec([1, detector.image_size, detector.image_size, CHANNELS], tf.uint8, name="images")
        sizes = tf.TensorSpec([1, 2], tf.int32, name="sizes")

        @tf.function(input_signature=[images, sizes], autograph=False)
        def detect(images, sizes):
            found = detector.find(images, sizes, combined_suppression=False)._asdict()
            return {name: value for name, value in found.items() if value is not None}

        self.detect = detect


def export_tflite(detector: Detector, path: Path) -> Path:
    """Writes a detector as a TFLite file, see `PortableDetector`. A zip archive at its end holds `labels.txt`.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
        path: The file to write; its name ends in .tflite. An older one is replaced once the new one is whole.

    Returns:
        `path`.

    Raises:
        UserError: The name does not end in .tflite, the file cannot be written, the model does not compute in float32,
            it has an operation that is not built in, or the name of a class has a line break.
    """
    check_path(path)
    check_float32(detector.model)
    check_labels(detector.record.class_names)
    served = PortableDetector(detector)
    # Not from the function: of a model of Keras 3 the converter would then forget the weights, and return NaN.
    with scratch_folder(path.parent) as place, without_wildcards(place) as scratch:
        tf.saved_model.save(served, str(scratch / "saved_model"), signatures={SERVING_DEFAULT: served.detect})
        converter = tf.lite.TFLiteConverter.from_saved_model(str(scratch / "saved_model"))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        content = add_labels(convert(converter, scratch / "converter.log"), detector.record.class_names)
        put(content, scratch, path)
    return path
