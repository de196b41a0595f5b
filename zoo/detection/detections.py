"""From images to the objects that a Mask R-CNN finds in them."""

from typing import NamedTuple

import keras
import tensorflow as tf

from lambda_keras.zoo.detection import heads, operations
from lambda_keras.zoo.detection.model import MaskRCNN, parts_of
from lambda_keras.zoo.detection.targets import BOX_WEIGHTS


class Detections(NamedTuple):
    """The objects of a batch, those of the highest score first; rows without an object are zeros.

    Attributes:
        boxes: float32 `[batch, detections, 4]`, `ymin, xmin, ymax, xmax` in pixels of the images.
        classes: int32 `[batch, detections]`, from 1 on.
        scores: float32 `[batch, detections]`, 0..1.
        masks: float32 `[batch, detections, 28, 28]`, the probability that a pixel of the box is the object's; `None`
            of a model without masks.
    """

    boxes: tf.Tensor
    classes: tf.Tensor
    scores: tf.Tensor
    masks: tf.Tensor | None


def detect(
    config: MaskRCNN,
    model: keras.Model,
    images: tf.Tensor,
    content_sizes: tf.Tensor,
    combined_suppression: bool = True,
) -> Detections:
    """Finds the objects of images; called in a graph.

    Args:
        config: What the model was built from.
        model: From `lambda_keras.zoo.detection.model.build_mask_rcnn`.
        images: float32 `[batch, image_size, image_size, 3]`, as the backbone takes them.
        content_sizes: float32 `[batch, 2]`, height and width of what an image shows before the padding at bottom and
            right, in pixels. All boxes are inside.
        combined_suppression: Whether TensorFlow's combined kernel suppresses detections that overlap better ones.
            Without it the graph is of operations that XLA compiles and that TFLite has built in, the latter for a batch
            of 1.
    """
    parts = parts_of(model)
    features = parts.pyramid(parts.backbone(images, training=False), training=False)
    raw = parts.region_proposals(features, training=False)
    regions = operations.propose_regions(
        raw["scores"],
        raw["boxes"],
        config.anchors.boxes(config.image_size),
        content_sizes,
        candidates=config.candidates // 2,
        proposals=config.proposals,
    )
    outputs = parts.box_head(_crops(features, regions, heads.BOX_CROP), training=False)
    logits, boxes = (
        tf.reshape(outputs[name], [-1, regions.shape[1], outputs[name].shape[1]]) for name in ("logits", "boxes")
    )
    found = operations.detect(
        logits,
        boxes,
        regions,
        content_sizes,
        weights=BOX_WEIGHTS,
        detections=config.detections,
        combined_suppression=combined_suppression,
    )
    objects = cleared(found)
    if parts.mask_head is None:
        return objects
    logits = parts.mask_head(_crops(features, objects.boxes, heads.MASK_CROP), training=False)
    logits = tf.reshape(logits, [-1, config.detections, *logits.shape[1:]])
    masks = tf.sigmoid(tf.gather(logits, objects.classes, axis=-1, batch_dims=2))
    return objects._replace(masks=tf.where((objects.classes > 0)[..., tf.newaxis, tf.newaxis], masks, 0.0))


def cleared(found: dict[str, tf.Tensor]) -> Detections:
    """What was detected, without what is in rows without an object.

    Args:
        found: From `lambda_keras.zoo.detection.operations.detect` or `detect_by_anchor`.
    """
    boxes, classes, scores = (found[f"detection_{name}"] for name in ("boxes", "classes", "scores"))
    is_object = tf.range(scores.shape[1]) < found["num_detections"][:, tf.newaxis]
    return Detections(
        boxes=tf.where(is_object[..., tf.newaxis], boxes, 0.0),
        classes=tf.where(is_object, classes, 0),
        scores=tf.where(is_object, scores, 0.0),
        masks=None,
    )


def _crops(features, regions, size):
    crops = operations.align_regions(features, regions, size)
    return tf.reshape(crops, [-1, *crops.shape[2:]])
