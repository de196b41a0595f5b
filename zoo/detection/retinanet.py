"""RetinaNet: class and box of every anchor of a pyramid in one pass, trained with the focal loss.

https://arxiv.org/abs/1708.02002, as tf-models-official configures it.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from lambda_keras.zoo.detection import heads, losses, operations
from lambda_keras.zoo.detection.anchors import Anchors, by_anchor
from lambda_keras.zoo.detection.detections import Detections, cleared
from lambda_keras.zoo.detection.losses import Term
from lambda_keras.zoo.detection.model import build_backbone
from lambda_keras.zoo.detection.pyramid import build_pyramid, normalization
from lambda_keras.zoo.detection.targets import match_anchors

ANCHORS = Anchors(levels=(3, 4, 5, 6, 7), scales=3, size=4.0)
STAGES = ("c3", "c4", "c5")
# Anchors with less overlap are background, the others are objects.
OBJECT_IOU = 0.5
# The probability of every class of an untrained model.
PRIOR = 0.01
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 1.5
BOX_DELTA, BOX_WEIGHT = 0.1, 50.0
# Anchors of a level, the most probable, that are looked at in inference.
CANDIDATES = 1000


@dataclasses.dataclass(frozen=True)
class RetinaNet:
    """A RetinaNet. The defaults are tf-models-official's.

    Attributes:
        backbone: A model's name in the registry, or a `keras.Model` with four outputs: maps of strides 4, 8, 16 and 32.
        classes: Number of classes.
        image_size: Side of the images in pixels, a multiple of 64.
        overrides: Arguments of `lambda_keras.create_model` for the backbone, if it is a name.
        anchors: The boxes that the network's are relative to.
        channels: Channels of the pyramid and of the head.
        detections: Objects that are found in an image, at most.
    """

    backbone: str | keras.Model
    classes: int
    image_size: int
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    anchors: Anchors = ANCHORS
    channels: int = 256
    detections: int = 100


def build_retinanet(config: RetinaNet) -> keras.Model:
    """Builds a RetinaNet.

    Args:
        config: What to build.

    Returns:
        A functional `keras.Model` from images, as for `lambda_keras.zoo.detection.model.build_mask_rcnn`, to a dict of
        two: `"logits"`, for each level `[batch, rows, columns, anchors * classes]`, and `"boxes"`, `[batch, rows,
        columns, anchors * 4]`; float32. Its layers are the models `"backbone"`, `"pyramid"` and `"dense_head"`.

    Raises:
        UserError: The backbone, the image size or the number of classes does not fit.
    """
    backbone = build_backbone(config, STAGES)
    image = keras.Input(backbone.input.shape[1:], name="images")
    maps = backbone(image)
    features = build_pyramid(maps, config.anchors.levels, config.channels)(maps)
    head = _build_head(features, config.anchors.per_location, config.classes, config.channels)
    return keras.Model(image, head(features), name="retinanet")


def retinanet_terms(
    config: RetinaNet, model: keras.Model, images: tf.Tensor, batch: dict[str, tf.Tensor]
) -> dict[str, Term]:
    """The losses of a batch, or of a replica's share of it; called in a graph, and XLA compiles it.

    Args:
        config: What the model was built from.
        model: From `build_retinanet`.
        images: float32 `[batch, image_size, image_size, 3]`, as the backbone takes them.
        batch: `boxes` float32 `[batch, objects, 4]` and `classes` int32 `[batch, objects]`, as for
            `lambda_keras.zoo.detection.forward.mask_rcnn_terms`.

    Returns:
        `class`, whose count is the number of positive anchors, and `box`, whose count is four times that.
    """
    raw = model(images, training=True)
    anchors = tf.concat(list(config.anchors.boxes(config.image_size).values()), axis=0)
    matched = match_anchors(anchors, batch["boxes"], OBJECT_IOU, OBJECT_IOU)
    classes = tf.where(matched.positive, tf.gather(batch["classes"], matched.objects, batch_dims=1), 0)
    return {
        "class": focal_class(by_anchor(raw["logits"], config.classes), classes),
        "box": anchor_box(by_anchor(raw["boxes"], 4), matched.boxes, matched.positive),
    }


def focal_class(logits: tf.Tensor, classes: tf.Tensor) -> Term:
    """The focal loss of all classes of all anchors.

    Args:
        logits: float32 `[batch, anchors, classes]`.
        classes: int32 `[batch, anchors]`, from 1 on, 0 for the background.

    Returns:
        Its count is the number of anchors that are no background.
    """
    labels = tf.one_hot(classes - 1, logits.shape[-1])
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    # The probability that is given to the wrong answer.
    error = tf.sigmoid(tf.where(labels > 0, -logits, logits))
    weights = tf.where(labels > 0, FOCAL_ALPHA, 1 - FOCAL_ALPHA)
    count = tf.reduce_sum(tf.cast(classes > 0, tf.float32))
    return Term(tf.reduce_sum(weights * error**FOCAL_GAMMA * cross_entropy), count)


def anchor_box(boxes: tf.Tensor, targets: tf.Tensor, positive: tf.Tensor) -> Term:
    """Huber loss of the boxes of positive anchors, with its weight.

    Args:
        boxes: float32 `[batch, anchors, 4]`.
        targets: Of the same shape.
        positive: bool `[batch, anchors]`.

    Returns:
        Its count is four numbers for each positive anchor.
    """
    is_object = positive[..., tf.newaxis]
    total = tf.reduce_sum(tf.where(is_object, losses.huber(boxes - targets, BOX_DELTA), 0.0))
    return Term(BOX_WEIGHT * total, 4 * tf.reduce_sum(tf.cast(is_object, tf.float32)))


def detect(
    config: RetinaNet,
    model: keras.Model,
    images: tf.Tensor,
    content_sizes: tf.Tensor,
    combined_suppression: bool = True,
) -> Detections:
    """Finds the objects of images; called in a graph.

    Args:
        config: What the model was built from.
        model: From `build_retinanet`.
        images: float32 `[batch, image_size, image_size, 3]`, as the backbone takes them.
        content_sizes: As for `lambda_keras.zoo.detection.detections.detect`.
        combined_suppression: As there.
    """
    raw = model(images, training=False)
    kept = []
    for level, anchors in config.anchors.boxes(config.image_size).items():
        logits, boxes = (
            by_anchor({level: raw["logits"][level]}, config.classes),
            by_anchor({level: raw["boxes"][level]}, 4),
        )
        _, best = tf.math.top_k(tf.reduce_max(logits, axis=2), min(CANDIDATES, anchors.shape[0]))
        kept.append(
            (tf.gather(logits, best, batch_dims=1), tf.gather(boxes, best, batch_dims=1), tf.gather(anchors, best))
        )
    logits, boxes, anchors = (tf.concat(parts, axis=1) for parts in zip(*kept, strict=True))
    found = operations.detect_by_anchor(
        logits,
        boxes,
        anchors,
        content_sizes,
        detections=config.detections,
        combined_suppression=combined_suppression,
    )
    return cleared(found)


def _build_head(maps, anchors, classes, channels):
    """Four convolutions for classes and four for boxes, the same for all levels but for their BatchNorm."""
    inputs = {level: keras.Input(x.shape[1:], name=level) for level, x in maps.items()}
    bias = keras.initializers.Constant(-math.log((1 - PRIOR) / PRIOR))
    outputs = {
        "logits": _branch(inputs, channels, anchors * classes, bias, "dense_class"),
        "boxes": _branch(inputs, channels, anchors * 4, "zeros", "dense_box"),
    }
    return keras.Model(inputs, outputs, name="dense_head")


def _branch(inputs, channels, outputs, bias, name):
    convolutions = [
        heads.convolution(channels, 3, keras.initializers.RandomNormal(stddev=0.01), f"{name}_conv{number}")
        for number in range(1, 5)
    ]
    initializer = keras.initializers.RandomNormal(stddev=1e-5)
    prediction = heads.prediction(outputs, 3, initializer, f"{name}_prediction", bias)
    found = {}
    for level, x in inputs.items():
        for number, convolution in enumerate(convolutions, 1):
            x = normalization(f"{name}_{level}_bn{number}")(convolution(x))
            x = keras.layers.ReLU(name=f"{name}_{level}_relu{number}")(x)
        found[level] = prediction(x)
    return found
