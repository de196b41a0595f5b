"""A Mask R-CNN in training: from images and objects to its losses."""

import keras
import tensorflow as tf

from lambda_keras.zoo.detection import heads, losses, operations, targets
from lambda_keras.zoo.detection.anchors import by_anchor
from lambda_keras.zoo.detection.losses import Term
from lambda_keras.zoo.detection.model import MaskRCNN, parts_of
from lambda_keras.zoo.detection.sampling import sample, seeds_of_draw

# Anchors with less overlap are background, those with more are objects; half of the sample may be objects.
NEGATIVE_IOU, POSITIVE_IOU = 0.3, 0.7
ANCHOR_POSITIVE_FRACTION = 0.5
# Two samples of an image have draws of their own.
ANCHOR_SAMPLE, REGION_SAMPLE = 0, 1


def mask_rcnn_terms(
    config: MaskRCNN, model: keras.Model, images: tf.Tensor, batch: dict[str, tf.Tensor], seeds: tf.Tensor
) -> dict[str, Term]:
    """The losses of a batch, or of a replica's share of it; called in a graph, and XLA compiles it.

    Args:
        config: What the model was built from.
        model: From `lambda_keras.zoo.detection.model.build_mask_rcnn`.
        images: float32 `[batch, image_size, image_size, 3]`, as the backbone takes them.
        batch: `boxes` float32 `[batch, objects, 4]` and `classes` int32 `[batch, objects]`, -1 in rows without an
            object; for masks `masks` uint8 `[batch, objects, side, side]` and `mask_frames` float32
            `[batch, objects, 4]`. Boxes are `ymin, xmin, ymax, xmax` in pixels of the images.
        seeds: int32 `[batch, 2]`, from `lambda_keras.zoo.detection.sampling.seeds_of_images`.

    Returns:
        `proposal_score`, `proposal_box`, `box_class`, `box_regression` and, with a mask head, `mask`.
    """
    parts = parts_of(model)
    features = parts.pyramid(parts.backbone(images, training=True), training=True)
    raw = parts.region_proposals(features, training=True)
    anchors = config.anchors.boxes(config.image_size)
    raw, features = _gradients_in_order(raw, features)
    terms = _proposal_terms(config, raw, anchors, batch["boxes"], seeds_of_draw(seeds, ANCHOR_SAMPLE))
    proposals = operations.propose_regions(
        raw["scores"],
        raw["boxes"],
        anchors,
        tf.fill([images.shape[0], 2], float(config.image_size)),
        candidates=config.candidates,
        proposals=config.proposals,
    )
    matched = targets.match_regions(
        proposals, batch["boxes"], batch["classes"], config.sampled_regions, seeds_of_draw(seeds, REGION_SAMPLE)
    )
    crops = operations.align_regions(features, matched.regions, heads.BOX_CROP)
    if config.masks:
        masks = _masks(config, parts.mask_head, features, matched)
        masks, crops = _gradients_in_order(masks, crops)
    outputs = parts.box_head(_merged(crops), training=True)
    logits, boxes = (_split(outputs[name], crops) for name in ("logits", "boxes"))
    terms["box_class"] = losses.box_class(logits, matched.classes, matched.is_drawn)
    terms["box_regression"] = losses.box_regression(boxes, matched.boxes, matched.classes)
    if config.masks:
        terms["mask"] = _mask_term(masks, matched, batch)
    return terms


def _gradients_in_order(later, first):
    """The same tensors. The gradient of the one waits for that of the other, and takes the memory that this leaves."""
    outputs = len(tf.nest.flatten(later))

    @tf.custom_gradient
    def in_order(*tensors):
        def gradient(*upstream):
            with tf.control_dependencies(upstream[outputs:]):
                return [*map(tf.identity, upstream[:outputs]), *upstream[outputs:]]

        return [tf.identity(tensor) for tensor in tensors], gradient

    return tf.nest.pack_sequence_as([later, first], in_order(*tf.nest.flatten([later, first])))


def _proposal_terms(config, raw, anchors, boxes, seeds):
    sizes = [level.shape[0] for level in anchors.values()]
    matched = targets.match_anchors(tf.concat(list(anchors.values()), axis=0), boxes, NEGATIVE_IOU, POSITIVE_IOU)
    drawn, is_drawn = sample(
        matched.positive, matched.negative, config.sampled_anchors, ANCHOR_POSITIVE_FRACTION, seeds
    )
    scores, encoded = by_anchor(raw["scores"], 1)[..., 0], by_anchor(raw["boxes"], 4)
    return {
        "proposal_score": losses.proposal_score(scores, matched.positive, drawn, is_drawn),
        "proposal_box": losses.proposal_box(encoded, matched.boxes, matched.positive, sizes),
    }


def _masks(config, mask_head, features, matched):
    """Logits of the masks of all classes, of those regions that may be objects."""
    # They come first, and are no more than these.
    count = int(config.sampled_regions * targets.REGION_POSITIVE_FRACTION)
    crops = operations.align_regions(features, matched.regions[:, :count], heads.MASK_CROP)
    return _split(mask_head(_merged(crops), training=True), crops)


def _mask_term(logits, matched, batch):
    count = logits.shape[1]
    regions, objects, classes = matched.regions[:, :count], matched.objects[:, :count], matched.classes[:, :count]
    wanted = targets.mask_targets(regions, objects, classes, batch["masks"], batch["mask_frames"], heads.MASK_SIZE)
    return losses.mask(tf.gather(logits, classes, axis=-1, batch_dims=2), wanted, classes)


def _merged(crops):
    """Crops of all images one after the other, as a head takes them."""
    return tf.reshape(crops, [-1, *crops.shape[2:]])


def _split(outputs, crops):
    """What a head returns, by image and region again."""
    return tf.reshape(outputs, [-1, crops.shape[1], *outputs.shape[1:]])
