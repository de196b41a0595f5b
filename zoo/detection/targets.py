"""What the outputs of a detector are compared with: objects matched to anchors and to proposals, and crops of masks.

All are functions of tensors of static shapes that XLA compiles. Rows of objects without an object are -1.
"""

from typing import NamedTuple

import tensorflow as tf

from lambda_keras.zoo.detection import operations
from lambda_keras.zoo.detection.sampling import sample

# Of the numbers of the box head, as in official. Those of proposals are not weighted.
BOX_WEIGHTS = [10.0, 10.0, 5.0, 5.0]
# Intersection over union from which a proposal is an object; below it is background.
REGION_IOU = 0.5
REGION_POSITIVE_FRACTION = 0.25


class AnchorTargets(NamedTuple):
    """What is at each anchor.

    Attributes:
        objects: int32 `[batch, anchors]`, the row of the object that an anchor overlaps most.
        positive: bool `[batch, anchors]`, whether the anchor counts as that object.
        negative: bool of the same shape, whether it counts as background; some are neither.
        boxes: float32 `[batch, anchors, 4]`, the object's box relative to the anchor; 0 where there is none.
    """

    objects: tf.Tensor
    positive: tf.Tensor
    negative: tf.Tensor
    boxes: tf.Tensor


class RegionTargets(NamedTuple):
    """The proposals that were drawn, and what they show.

    Attributes:
        regions: float32 `[batch, regions, 4]`, those of objects first.
        is_drawn: bool `[batch, regions]`, false in rows that only fill up.
        objects: int32 `[batch, regions]`, the row of the object that a region overlaps most.
        classes: int32 `[batch, regions]`, 0 for the background.
        boxes: float32 `[batch, regions, 4]`, the object's box relative to the region; 0 for the background.
    """

    regions: tf.Tensor
    is_drawn: tf.Tensor
    objects: tf.Tensor
    classes: tf.Tensor
    boxes: tf.Tensor


def match_anchors(anchors: tf.Tensor, boxes: tf.Tensor, negative_iou: float, positive_iou: float) -> AnchorTargets:
    """Matches anchors to objects.

    An anchor is positive if its overlap with an object is at least `positive_iou`, or if no anchor overlaps that object
    more; it is negative if its overlap with all objects is below `negative_iou`. Official's matcher is not used: it
    takes rows without an object for objects and gives them the first anchor.

    Args:
        anchors: float32 `[anchors, 4]`.
        boxes: float32 `[batch, objects, 4]`.
        negative_iou: 0..1.
        positive_iou: At least as much.
    """
    # Image by image: a similarity matrix at 1,024 pixels has 26 million numbers.
    targets = tf.map_fn(
        lambda row: _match_image(anchors, row, negative_iou, positive_iou),
        boxes,
        parallel_iterations=1,
        fn_output_signature=AnchorTargets(tf.int32, tf.bool, tf.bool, tf.float32),
    )
    return AnchorTargets(*targets)


def _match_image(anchors, boxes, negative_iou, positive_iou):
    count = boxes.shape[0]
    similarity = tf.where(_has_area(boxes), operations.pairwise_iou(anchors, boxes), -1.0)
    highest = tf.reduce_max(similarity, axis=1)
    # For each anchor the first object that has it for its best one, if any.
    best_anchors = tf.argmax(similarity, axis=0, output_type=tf.int32)
    is_touched = tf.reduce_max(similarity, axis=0) > 0
    owners = tf.tensor_scatter_nd_min(
        tf.fill([anchors.shape[0]], count),
        best_anchors[:, tf.newaxis],
        tf.where(is_touched, tf.range(count), count),
    )
    is_best = owners < count
    objects = tf.where(is_best, owners, tf.argmax(similarity, axis=1, output_type=tf.int32))
    positive = is_best | (highest >= positive_iou)
    negative = ~is_best & (highest < negative_iou)
    # Rows without an object have no logarithm.
    matched = tf.where(positive[:, tf.newaxis], tf.gather(boxes, objects), anchors)
    encoded = operations.encode_boxes(matched, anchors)
    return AnchorTargets(objects, positive, negative, tf.where(positive[:, tf.newaxis], encoded, 0.0))


def match_regions(
    proposals: tf.Tensor, boxes: tf.Tensor, classes: tf.Tensor, count: int, seeds: tf.Tensor
) -> RegionTargets:
    """Matches proposals, and the objects' own boxes beside them, to objects, and draws some.

    Args:
        proposals: float32 `[batch, proposals, 4]`; those without an area are never drawn.
        boxes: float32 `[batch, objects, 4]`.
        classes: int32 `[batch, objects]`.
        count: How many are drawn; at most a quarter are objects.
        seeds: int32 `[batch, 2]`, from `lambda_keras.zoo.detection.sampling.seeds_of_images`.
    """
    proposals = tf.concat([tf.stop_gradient(proposals), boxes], axis=1)
    similarity = operations.pairwise_iou(proposals, boxes)
    similarity = tf.where(_has_area(boxes)[:, tf.newaxis], similarity, -1.0)
    highest = tf.reduce_max(similarity, axis=2)
    objects = tf.argmax(similarity, axis=2, output_type=tf.int32)
    is_region = _has_area(proposals)
    positive, negative = is_region & (highest >= REGION_IOU), is_region & (highest < REGION_IOU)
    drawn, is_drawn = sample(positive, negative, count, REGION_POSITIVE_FRACTION, seeds)
    regions, objects, positive = (tf.gather(values, drawn, batch_dims=1) for values in (proposals, objects, positive))
    # What only fills up may be an object that was not drawn.
    positive &= is_drawn
    matched = tf.where(positive[..., tf.newaxis], tf.gather(boxes, objects, batch_dims=1), regions)
    encoded = operations.encode_boxes(matched, regions, BOX_WEIGHTS)
    return RegionTargets(
        regions=regions,
        is_drawn=is_drawn,
        objects=objects,
        classes=tf.where(positive, tf.gather(classes, objects, batch_dims=1), 0),
        boxes=tf.where(positive[..., tf.newaxis], encoded, 0.0),
    )


def mask_targets(
    regions: tf.Tensor, objects: tf.Tensor, classes: tf.Tensor, masks: tf.Tensor, frames: tf.Tensor, size: int
) -> tf.Tensor:
    """The masks of objects, cropped to regions.

    Args:
        regions: float32 `[batch, regions, 4]`.
        objects: int32 `[batch, regions]`, the row of the object.
        classes: int32 `[batch, regions]`, 0 where there is none.
        masks: uint8 `[batch, objects, side, side]`, 0 or 1, in their frames.
        frames: float32 `[batch, objects, 4]`, the box that a mask fills, in the same pixels as the regions.
        size: Side of the targets.

    Returns:
        float32 `[batch, regions, size, size]`, 0..1, with shares of pixels at an edge; of the background, anything.
    """
    # What is no object may have a frame without an area.
    is_object = (classes > 0)[..., tf.newaxis]
    frames = tf.where(is_object, tf.gather(frames, objects, batch_dims=1), regions)
    cropped = operations.crop_masks(tf.gather(masks, objects, batch_dims=1), frames, regions, size)
    return tf.stop_gradient(cropped)


def _has_area(boxes):
    return (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
