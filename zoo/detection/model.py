"""Mask R-CNN on any backbone, as one Keras model whose parts are called one by one.

Mask R-CNN: https://arxiv.org/abs/1703.06870. LambdaNetworks, section 5, puts LambdaResNets under it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

import lambda_keras as lk
from lambda_keras.keras_internals import has_graph
from lambda_keras.zoo.detection import heads
from lambda_keras.zoo.detection.anchors import Anchors
from lambda_keras.zoo.detection.pyramid import build_pyramid
from lambda_keras.zoo.errors import UserError, shown

STAGES = ("c2", "c3", "c4", "c5")
STRIDES = (4, 8, 16, 32)
# The stride of the coarsest map of the pyramid of Mask R-CNN: what ROI align divides maps by must come out even.
COARSEST_STRIDE = 64
ANCHORS = Anchors(levels=(2, 3, 4, 5, 6), scales=1, size=8.0)


@dataclasses.dataclass(frozen=True)
class MaskRCNN:
    """A Mask R-CNN; without masks, a Faster R-CNN on a pyramid.

    The defaults are tf-models-official's.

    Attributes:
        backbone: A model's name in the registry, or a `keras.Model` with four outputs: maps of strides 4, 8, 16 and 32.
        classes: Number of classes without the background.
        image_size: Side of the images in pixels, a multiple of 64.
        masks: Whether it has a mask head.
        overrides: Arguments of `lambda_keras.create_model` for the backbone, if it is a name.
        anchors: The boxes that proposals are relative to.
        channels: Channels of the pyramid and of the heads' convolutions.
        dense_channels: Channels of the box head's dense layer.
        candidates: Proposals of a level, the best, that suppression looks at in training. In inference it is half.
        proposals: Proposals of an image that suppression leaves.
        sampled_anchors: Anchors of an image that the loss of proposals is of.
        sampled_regions: Proposals of an image that the losses of the heads are of.
        detections: Objects that are found in an image, at most.
    """

    backbone: str | keras.Model
    classes: int
    image_size: int
    masks: bool = True
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    anchors: Anchors = ANCHORS
    channels: int = 256
    dense_channels: int = 1024
    candidates: int = 2000
    proposals: int = 1000
    sampled_anchors: int = 256
    sampled_regions: int = 512
    detections: int = 100


class Parts(NamedTuple):
    """The parts of a Mask R-CNN: layers of one model that are models themselves.

    Attributes:
        backbone: From images to a dict of maps `"c2"` to `"c5"`.
        pyramid: From these to maps `"p2"` to `"p6"`.
        region_proposals: From these to scores and boxes of all anchors.
        box_head: From crops of regions to class and box.
        mask_head: From crops of regions to masks, or `None`.
    """

    backbone: keras.Model
    pyramid: keras.Model
    region_proposals: keras.Model
    box_head: keras.Model
    mask_head: keras.Model | None


def build_mask_rcnn(config: MaskRCNN) -> keras.Model:
    """Builds a Mask R-CNN.

    It holds all variables, under paths of their own, for optimizers, checkpoints and averages. It is not called as a
    whole: between its parts, which `parts_of` returns, regions are proposed, sampled and cropped.

    Args:
        config: What to build.

    Returns:
        A functional `keras.Model`. Its images are float32 `[batch, image_size, image_size, 3]` as the backbone takes
        them, for registered models as `lambda_keras.preprocess_input` returns them.

    Raises:
        UserError: The backbone, the image size or the number of classes does not fit.
    """
    backbone = build_backbone(config, STAGES)
    image = keras.Input(backbone.input.shape[1:], name="images")
    maps = backbone(image)
    pyramid = build_pyramid(maps, config.anchors.levels, config.channels)
    features = pyramid(maps)
    region_proposals = heads.build_region_proposals(features, config.anchors.per_location, config.channels)
    box_head = heads.build_box_head(config.classes, config.channels, config.dense_channels)
    inputs = {"images": image, "box_crops": keras.Input(box_head.input.shape[1:], name="box_crops")}
    outputs = {"region_proposals": region_proposals(features), "box_head": box_head(inputs["box_crops"])}
    if config.masks:
        mask_head = heads.build_mask_head(config.classes, config.channels)
        inputs["mask_crops"] = keras.Input(mask_head.input.shape[1:], name="mask_crops")
        outputs["mask_head"] = mask_head(inputs["mask_crops"])
    return keras.Model(inputs, outputs, name="mask_rcnn")


def parts_of(model: keras.Model) -> Parts:
    """The parts of a model from `build_mask_rcnn`."""
    layers = {layer.name: layer for layer in model.layers}
    return Parts(*(layers.get(name) for name in Parts._fields))


def network_of(model: keras.Model) -> keras.Model:
    """The network inside a detector's backbone: what weights of a classifier are loaded into.

    Args:
        model: A detector.

    Returns:
        The registered model without its top, or the `keras.Model` that was given.
    """
    return model.get_layer("backbone").layers[-1]


def freeze_stages(model: keras.Model, stage: str) -> None:
    """Freezes the layers of a backbone up to a stage, which keeps its BatchNorm's statistics too.

    Args:
        model: A detector.
        stage: `"c2"` to `"c5"`, the last stage that is frozen; with `"c5"` it is all of the backbone.

    Raises:
        UserError: There is no such stage, or the backbone has code of its own instead of a graph of layers.
    """
    if stage not in STAGES:
        raise UserError(f"a stage to freeze is one of {', '.join(STAGES)}. Received: {shown(stage)}")
    network = network_of(model)
    if not has_graph(network):
        raise UserError(f"stages of {network.name!r} cannot be frozen: it is no functional model; freeze its layers")
    maps = _by_stage(network.output, network.name)
    for layer in keras.Model(network.input, maps[stage]).layers:
        layer.trainable = False


def build_backbone(config: Any, stages: tuple[str, ...]) -> keras.Model:
    """Builds the model that gives a detector its maps.

    Args:
        config: A detector's configuration, of which `backbone`, `overrides`, `image_size` and `classes` are read.
        stages: The maps that are used.

    Returns:
        A functional `keras.Model` named `"backbone"` from images to a dict of maps.

    Raises:
        UserError: The network cannot be built, its maps are not of strides 4, 8, 16 and 32, or the image size or the
            number of classes does not fit.
    """
    image_size, network = config.image_size, config.backbone
    if config.classes < 1:
        raise UserError(f"a detector needs at least 1 class. Received: classes={config.classes}")
    if image_size < COARSEST_STRIDE or image_size % COARSEST_STRIDE:
        raise UserError(
            f"the image size of a detector is a multiple of {COARSEST_STRIDE}, so that its maps fit onto each other. "
            f"Received: {image_size}"
        )
    if isinstance(network, str):
        shape = (image_size, image_size, 3)
        try:
            network = lk.create_model(network, input_shape=shape, features_only=True, **config.overrides)
        except (TypeError, ValueError) as error:
            raise UserError(f"backbone {shown(network)}: {error}") from error
    image = keras.Input((image_size, image_size, 3), name="image")
    try:
        outputs = network(image)
    except ValueError as error:
        raise UserError(
            f"the backbone {network.name!r} takes no images of {image_size}×{image_size} pixels and 3 channels: its "
            f"input is {network.input_shape}"
        ) from error
    maps = _by_stage(outputs, network.name)
    _check_strides(maps, image_size, network.name)
    return keras.Model(image, {stage: maps[stage] for stage in stages}, name="backbone")


def _by_stage(outputs, name):
    """The maps of a network by stage, whether it returns a dict of them or has them in a row, the largest first."""
    if isinstance(outputs, dict) and set(STAGES) <= set(outputs):
        return {stage: outputs[stage] for stage in STAGES}
    maps = keras.tree.flatten(outputs)
    if len(maps) != len(STAGES):
        raise UserError(
            f"the backbone {name!r} has {len(maps)} outputs; a detector needs four, the maps of strides 4, 8, 16 and 32"
        )
    return dict(zip(STAGES, maps, strict=True))


def _check_strides(maps, image_size, name):
    shapes = [tuple(x.shape[1:3]) for x in maps.values()]
    expected = [(image_size // stride, image_size // stride) for stride in STRIDES]
    if any(len(x.shape) != 4 for x in maps.values()) or shapes != expected:
        raise UserError(
            f"the backbone {name!r} returns maps of {', '.join(map(str, shapes))} for images of "
            f"{image_size}×{image_size} pixels; a detector needs strides 4, 8, 16 and 32: "
            f"{', '.join(map(str, expected))}"
        )
