"""What detection takes from tf-models-official: operations on boxes and maps, without weights and without draws.

Nothing else of `zoo/detection/` imports it. No class here holds a variable, though two are layers of tf_keras, and what
draws from TensorFlow's global generator is left out (see `sampling.py`). To import one of these modules is to import
all of `official.vision`, whose `__init__.py` does so.

Boxes are `ymin, xmin, ymax, xmax` in pixels of the image that the network sees.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf
from official.vision.modeling.layers.detection_generator import DetectionGenerator
from official.vision.modeling.layers.roi_generator import MultilevelROIGenerator
from official.vision.ops import box_ops
from official.vision.ops.anchor import Anchor
from official.vision.ops.iou_similarity import IouSimilarity
from official.vision.ops.spatial_transform_ops import crop_mask_in_target_box, multilevel_crop_and_resize

# Of two boxes, the one with the lower score is left out if they overlap more: of proposals, and of detections.
PROPOSAL_OVERLAP = 0.7
DETECTION_OVERLAP = 0.5
# Detections of a lower score are left out.
LOWEST_SCORE = 0.05
# How many boxes of a class the slower form of the suppression looks at.
CANDIDATES_OF_CLASS = 1000


def anchor_boxes(
    image_size: int, levels: Sequence[int], scales: int, aspect_ratios: Sequence[float], size: float
) -> dict[str, tf.Tensor]:
    """The boxes that a network's outputs are relative to.

    Args:
        image_size: Side of the image, in pixels.
        levels: Levels of the pyramid, without gaps; a map of level l has stride 2**l.
        scales: Sizes in an octave.
        aspect_ratios: Widths divided by heights.
        size: Side of the smallest square anchor of a level, in strides.

    Returns:
        For each level, `"p2"` and so on, float32 `[rows * columns * anchors, 4]`: row by row, place by place, at each
        of them all aspect ratios of the smallest scale first.
    """
    anchors = Anchor(levels[0], levels[-1], scales, list(aspect_ratios), size, [image_size, image_size])
    return {f"p{level}": tf.reshape(boxes, [-1, 4]) for level, boxes in anchors.multilevel_boxes.items()}


def pairwise_iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union of each box with each of the others.

    Args:
        boxes: `[boxes, 4]` or `[batch, boxes, 4]`.
        others: `[others, 4]`, or with the same batch.

    Returns:
        float32 `[boxes, others]` or `[batch, boxes, others]`; 0 where a box has no area.
    """
    return IouSimilarity()(boxes, others)


def encode_boxes(boxes: tf.Tensor, anchors: tf.Tensor, weights: list[float] | None = None) -> tf.Tensor:
    """Where boxes are relative to anchors: shifts of the centre in sides, logarithms of the quotients of the sides.

    Args:
        boxes: `[..., 4]`.
        anchors: Of the same shape, or one that broadcasts to it.
        weights: What the four numbers are multiplied by; by default nothing.

    Returns:
        float32 `[..., 4]`, in the order y, x, height, width.
    """
    return box_ops.encode_boxes(boxes, anchors, weights)


def propose_regions(
    scores: Mapping[str, tf.Tensor],
    boxes: Mapping[str, tf.Tensor],
    anchors: Mapping[str, tf.Tensor],
    content_sizes: tf.Tensor,
    *,
    candidates: int,
    proposals: int,
) -> tf.Tensor:
    """The boxes that are most probably objects of any class, without those that overlap better ones of their level.

    Args:
        scores: For each level, logits `[batch, rows, columns, anchors]`.
        boxes: For each level `[batch, rows, columns, anchors * 4]`, relative to the anchors.
        anchors: From `anchor_boxes`.
        content_sizes: float32 `[batch, 2]`, height and width of what an image shows, in pixels, to which boxes are cut.
        candidates: Boxes of each level, the best ones, that are looked at.
        proposals: Boxes that are returned, if the levels have so many.

    Returns:
        float32 `[batch, proposals, 4]`, best first; the rows at the end may be zeros.
    """
    # Not by TensorFlow's combined kernel: with it, official looks at all boxes of a level.
    layer = MultilevelROIGenerator(
        pre_nms_top_k=candidates, num_proposals=proposals, nms_iou_threshold=PROPOSAL_OVERLAP, use_batched_nms=False
    )
    # Official keeps two sets of numbers, one of them for training. Its levels are called "2" and so on.
    found, _ = layer(
        *(_by_number(level) for level in (boxes, scores, anchors)), tf.cast(content_sizes, tf.float32), training=True
    )
    return found


def align_regions(features: Mapping[str, tf.Tensor], regions: tf.Tensor, crop_size: int) -> tf.Tensor:
    """ROI align: crops regions from the map of a level that fits their size, with bilinear interpolation.

    Args:
        features: For each level `[batch, rows, columns, channels]`; the first is twice as large as the second, …
        regions: float32 `[batch, regions, 4]`.
        crop_size: Side of the crops.

    Returns:
        `[batch, regions, crop_size, crop_size, channels]` in the dtype of the maps.
    """
    return multilevel_crop_and_resize(_by_number(features), regions, crop_size)


def crop_masks(masks: tf.Tensor, frames: tf.Tensor, regions: tf.Tensor, crop_size: int) -> tf.Tensor:
    """Crops regions from masks that are given in frames of their own, with bilinear interpolation.

    Args:
        masks: `[batch, masks, side, side]`.
        frames: float32 `[batch, masks, 4]`, the box that a mask fills, in pixels of the image.
        regions: float32 `[batch, masks, 4]`, in the same pixels; what is outside of the frame is 0.
        crop_size: Side of the crops.

    Returns:
        float32 `[batch, masks, crop_size, crop_size]`.
    """
    # The operation reads pixel n of a mask at n, but its centre is at n + 1/2.
    corner, end = tf.split(frames, 2, axis=-1)
    half_a_pixel = tf.tile((end - corner) / (2 * masks.shape[-1]), [1, 1, 2])
    return crop_mask_in_target_box(masks, frames, regions - half_a_pixel, crop_size, sample_offset=0.5)


def detect(
    logits: tf.Tensor,
    boxes: tf.Tensor,
    regions: tf.Tensor,
    content_sizes: tf.Tensor,
    *,
    weights: list[float],
    detections: int,
    combined_suppression: bool,
) -> dict[str, tf.Tensor]:
    """The best boxes of all classes, without those that overlap better ones of their class.

    Args:
        logits: `[batch, regions, 1 + classes]`; the first is that of the background.
        boxes: `[batch, regions, (1 + classes) * 4]`, relative to the regions.
        regions: float32 `[batch, regions, 4]`.
        content_sizes: float32 `[batch, 2]`, as for `propose_regions`.
        weights: What the numbers of a box were multiplied by in `encode_boxes`.
        detections: Boxes that are returned.
        combined_suppression: Whether one kernel suppresses the boxes of all classes, which is fast and which neither
            XLA nor TFLite has.

    Returns:
        `detection_boxes` float32 `[batch, detections, 4]`, `detection_scores` float32 and `detection_classes` int32
        `[batch, detections]`, best first, and `num_detections` int32 `[batch]`; what is in the rows after that number
        means nothing.
    """
    generator = _detection_generator(detections, combined_suppression, use_sigmoid=False)
    return generator(boxes, logits, regions, content_sizes, regression_weights=weights)


def detect_by_anchor(
    logits: tf.Tensor,
    boxes: tf.Tensor,
    anchors: tf.Tensor,
    content_sizes: tf.Tensor,
    *,
    detections: int,
    combined_suppression: bool,
) -> dict[str, tf.Tensor]:
    """The same of a network that has a box for each anchor, and a probability of its own for each class.

    Args:
        logits: `[batch, anchors, classes]`, without the background.
        boxes: `[batch, anchors, 4]`, relative to the anchors, for all classes alike.
        anchors: float32 `[batch, anchors, 4]`.
        content_sizes: float32 `[batch, 2]`, as for `propose_regions`.
        detections: Boxes that are returned.
        combined_suppression: As for `detect`.

    Returns:
        As `detect`.
    """
    generator = _detection_generator(detections, combined_suppression, use_sigmoid=True)
    # It leaves out the first class.
    logits = tf.pad(logits, [[0, 0], [0, 0], [1, 0]])
    return generator(boxes, logits, anchors, content_sizes, bbox_per_class=False)


def _detection_generator(detections, combined_suppression, use_sigmoid):
    return DetectionGenerator(
        pre_nms_top_k=CANDIDATES_OF_CLASS,
        pre_nms_score_threshold=LOWEST_SCORE,
        nms_iou_threshold=DETECTION_OVERLAP,
        max_num_detections=detections,
        nms_version="batched" if combined_suppression else "v2",
        use_sigmoid_probability=use_sigmoid,
    )


def _by_number(levels):
    return {level.removeprefix("p"): value for level, value in levels.items()}
