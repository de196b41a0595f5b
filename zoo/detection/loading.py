"""A detector with the record that goes with it: what `evaluate`, `predict` and `lambda-export` share."""

from pathlib import Path

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.detection import detections, retinanet
from lambda_keras.zoo.detection.data.pictures import CHANNELS, content_sizes
from lambda_keras.zoo.detection.detections import Detections
from lambda_keras.zoo.detection.heads import BOX_CROP, MASK_CROP, MASK_SIZE
from lambda_keras.zoo.detection.model import MaskRCNN
from lambda_keras.zoo.detection.record import DetectorRecord, Network
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.loading import load_model


class Detector:
    """A detector of objects in pictures of any size.

    Args:
        model: From `lambda_keras.zoo.detection.model.build_mask_rcnn` or
            `lambda_keras.zoo.detection.retinanet.build_retinanet`.
        record: Its `lambda_keras.zoo.detection.record.DetectorRecord`.
        name: What the model is called in messages.
        folder: Where what is measured of it goes by default.

    Raises:
        UserError: They are not of each other.
    """

    def __init__(self, model: keras.Model, record: DetectorRecord, name: str, folder: Path):
        check_network(model, record.network, name)
        self.model, self.record, self.name, self.folder = model, record, name, folder
        self.image_size = record.network.image_size

    def find(self, images: tf.Tensor, sizes: tf.Tensor, combined_suppression: bool = True) -> Detections:
        """Finds the objects of pictures; called in a graph.

        Args:
            images: uint8 `[batch, image_size, image_size, 3]`, as `lambda_keras.zoo.detection.data.pictures.Picture`
                has them.
            sizes: Heights and widths of the pictures, int32 `[batch, 2]`.
            combined_suppression: As for `lambda_keras.zoo.detection.detections.detect`.

        Returns:
            The `lambda_keras.zoo.detection.detections.Detections`, their boxes in pixels of the pictures.
        """
        network = self.record.network
        contents, scales = content_sizes(sizes, self.image_size)
        images = lk.preprocess_input(images, mean=self.record.mean, std=self.record.std)
        if isinstance(network, MaskRCNN):
            found = detections.detect(network, self.model, images, contents, combined_suppression)
        else:
            found = retinanet.detect(network, self.model, images, contents, combined_suppression)
        # Beyond its edge there could be the last digit of a rounded number.
        edges = tf.tile(tf.cast(sizes, tf.float32), [1, 2])[:, tf.newaxis]
        return found._replace(boxes=tf.minimum(found.boxes / scales[..., tf.newaxis], edges))


def load(source: str | Path) -> Detector:
    """Loads a detector. Nothing in its files is executed.

    Args:
        source: The folder of a `lambda-zoo detect train`, or its `.keras` file with the `record.json` beside it.

    Returns:
        A `Detector`.

    Raises:
        UserError: The model or its record is missing or damaged, or they are not of each other.
    """
    file = run_folder.model_file(source)
    if not file.exists():
        raise UserError(
            f"no such file: {file}; a detector is the folder of a `lambda-zoo detect train`, or a .keras file with "
            "record.json beside it"
        )
    record = DetectorRecord.read(file.with_name(run_folder.RECORD))
    model = load_model(file, lambda model, name: check_network(model, record.network, name))
    return Detector(model, record, str(file), file.parent)


def check_network(model: keras.Model, network: Network, name: str | Path) -> None:
    """Checks that a model is what a network's configuration says.

    Args:
        model: The model.
        network: What it was built from.
        name: What to call it in messages.

    Raises:
        UserError: It has other parts, sizes or classes.
    """
    expected = dict(_leaves(_shapes(network)))
    try:
        received = dict(_leaves({part: _shapes_of(model.get_layer(part)) for part in _shapes(network)}))
    # What is no functional model, or lacks a part.
    except (AttributeError, ValueError) as error:
        parts = ", ".join(_shapes(network))
        raise UserError(
            f"{name} is no {type(network).__name__}, as its record says, of which the layers are {parts}; copy the "
            "record of this model"
        ) from error
    for place, shape in expected.items():
        if received.get(place) != shape:
            raise UserError(
                f"the record of {name} is of another model: of its {place} the shape is {shape}, of the model's "
                f"{received.get(place)}; copy the record of this model"
            )


def _shapes(network):
    """What the parts of a detector take and return, without the batch."""
    size, channels, classes = network.image_size, network.channels, network.classes
    per_location = network.anchors.per_location
    sides = {f"p{level}": -(-size // 2**level) for level in network.anchors.levels}

    def maps(depth):
        return {level: (side, side, depth) for level, side in sides.items()}

    def part(inputs, outputs):
        return {"input": inputs, "output": outputs}

    shapes = {"backbone": {"input": (size, size, CHANNELS)}}
    if not isinstance(network, MaskRCNN):
        outputs = {"boxes": maps(4 * per_location), "logits": maps(classes * per_location)}
        return {**shapes, "dense_head": part(maps(channels), outputs)}
    boxes = {"boxes": (4 * (1 + classes),), "logits": (1 + classes,)}
    proposals = {"boxes": maps(4 * per_location), "scores": maps(per_location)}
    shapes["region_proposals"] = part(maps(channels), proposals)
    shapes["box_head"] = part((BOX_CROP, BOX_CROP, channels), boxes)
    if network.masks:
        shapes["mask_head"] = part((MASK_CROP, MASK_CROP, channels), (MASK_SIZE, MASK_SIZE, 1 + classes))
    return shapes


def _shapes_of(part):
    tensors = {"input": part.input, "output": part.output}
    return keras.tree.map_structure(lambda tensor: tuple(tensor.shape[1:]), tensors)


def _leaves(structure, place=""):
    """What a structure of dictionaries holds, by the names on the way to it."""
    for name, value in structure.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{place}{name} ")
        else:
            yield place + name, value
