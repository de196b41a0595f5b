"""The schema of a detector's recipe: what differs from a classifier's. `lambda_keras.zoo.recipe_file` reads both."""

import itertools
from typing import Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.recipe import AnyRecipe, CommonTraining, Section

# Of a Mask R-CNN (`lambda_keras.zoo.detection.model.MaskRCNN.anchors`), which to import takes TensorFlow.
LEVELS, ANCHORS_PER_LOCATION = range(2, 7), 3


class DetectorModel(Section):
    """Which detector to build.

    The numbers are those of `lambda_keras.zoo.detection.model.MaskRCNN`; a RetinaNet has `channels` and `detections`.

    Attributes:
        architecture: `mask_rcnn`, without masks a Faster R-CNN on a pyramid, or `retinanet`, which has boxes alone.
        backbone: A name of `lambda_keras.list_models()` with maps of strides 4, 8, 16 and 32.
        overrides: Keywords of `lambda_keras.create_model` for the backbone.
        weights: Weights of a classifier that the backbone starts from, as `lambda_keras.load_weights` takes them; by
            default it starts at random, as in the paper.
        frozen_stages: `c2` to `c5`: the last stage of the backbone that is frozen, with all before it; by default none.
        masks: Whether it finds masks beside boxes.
        channels: Channels of the pyramid and of the heads' convolutions.
        dense_channels: Channels of the box head's dense layer.
        candidates: Proposals of a level that suppression looks at.
        proposals: Proposals of an image that it leaves.
        sampled_anchors: Anchors of an image that the loss of proposals is of.
        sampled_regions: Proposals of an image that the losses of the heads are of.
        detections: Objects that are found in an image, at most.
    """

    architecture: Literal["mask_rcnn", "retinanet"] = "mask_rcnn"
    backbone: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    frozen_stages: Literal["c2", "c3", "c4", "c5"] | None = None
    masks: bool = True
    channels: int = Field(default=256, ge=1, le=4096)
    dense_channels: int = Field(default=1024, ge=1, le=16384)
    candidates: int = Field(default=2000, ge=2, le=100_000)
    proposals: int = Field(default=1000, ge=1, le=100_000)
    sampled_anchors: int = Field(default=256, ge=2, le=100_000)
    sampled_regions: int = Field(default=512, ge=4, le=100_000)
    detections: int = Field(default=100, ge=1, le=1000)

    @field_validator("overrides")
    @classmethod
    def _leave_the_detector_alone(cls, overrides):
        if taken := {"input_shape", "classes", "classifier_activation", "features_only", "weights"} & set(overrides):
            raise ValueError(f"{', '.join(sorted(taken))} must be left out: the detector decides")
        return overrides

    @model_validator(mode="after")
    def _has_masks(self):
        if self.masks and self.architecture == "retinanet":
            raise ValueError("a retinanet has boxes alone; say masks: false")
        return self


class DetectorData(Section):
    """How pictures are varied; which there are is said beside the recipe.

    Attributes:
        image_size: Side of the model's images in pixels, a multiple of 64.
        scales: The smallest and the largest scale of the jitter; at 1 the longer side of a picture is `image_size`.
        horizontal_flip: Whether half of the training pictures are mirrored.
        max_objects: Objects of a picture that are trained on.
        mean: Mean of each channel that pictures are normalised with, on the scale 0 to 1; by default ImageNet's.
        std: The same of the standard deviation; give both or neither.
        most_pixels: How many pixels a picture's file may have; one with more counts as damaged.
    """

    image_size: int = Field(ge=64, le=4096, multiple_of=64)
    scales: tuple[float, float] = (0.1, 2.0)
    horizontal_flip: bool = True
    max_objects: int = Field(default=100, ge=1, le=1000)
    mean: tuple[float, float, float] | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    most_pixels: int = Field(default=MOST_PIXELS, ge=1, le=2**31)

    @model_validator(mode="after")
    def _belong_together(self):
        if not 0 < self.scales[0] <= self.scales[1] <= 10:
            raise ValueError(f"scales must be above 0, rising and at most 10, got {list(self.scales)}")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std are given together or not at all")
        return self


class DetectorTraining(CommonTraining):
    """How the weights of a detector are found; its length is in steps. An epoch lasts from one evaluation to the next.

    Attributes:
        steps: All steps.
        evaluation_steps: Steps between two evaluations; by default a pass over the training pictures.
        schedule: What follows the warm-up: `cosine` falls to zero, `drops` multiplies by `drop_factor` at each of
            `drops`, `constant` stays.
        drops: Steps, counted from the beginning of the training.
        drop_factor: Of `drops`.
        warmup_steps: Steps of linear warm-up from zero.
    """

    steps: int = Field(ge=1, le=10_000_000)
    evaluation_steps: int | None = Field(default=None, ge=1)
    schedule: Literal["cosine", "drops", "constant"] = "cosine"
    drops: tuple[int, ...] = ()
    drop_factor: float = Field(default=0.1, gt=0, lt=1)
    warmup_steps: int = Field(default=0, ge=0)

    @field_validator("gradient_accumulation")
    @classmethod
    def _one_pass(cls, passes):
        if passes > 1:
            raise ValueError(
                f"a detector's batch is one pass, got {passes}: its losses are divided by what a pass has of objects, "
                "so that several passes would be another loss; lower batch_size, or share it among more devices"
            )
        return passes

    @model_validator(mode="after")
    def _steps_in_order(self):
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} must be below steps {self.steps}")
        if (self.schedule == "drops") != bool(self.drops):
            raise ValueError(f"schedule: drops and drops go together, got {self.schedule} and {list(self.drops)}")
        places = (self.warmup_steps, *self.drops, self.steps)
        if any(earlier >= later for earlier, later in itertools.pairwise(places)):
            raise ValueError(
                f"drops must rise between warmup_steps {self.warmup_steps} and steps {self.steps}, got "
                f"{list(self.drops)}"
            )
        return self


class DetectorRecipe(AnyRecipe):
    """The training setting of a detector."""

    FOLDER = "recipes/detection"
    COMMAND = "lambda-zoo detect train"
    EXPECTATION = "Expected AP"

    model: DetectorModel
    data: DetectorData
    training: DetectorTraining

    @model_validator(mode="after")
    def _enough_to_draw_from(self):
        if self.model.architecture == "retinanet":
            return self
        anchors = ANCHORS_PER_LOCATION * sum((self.data.image_size >> level) ** 2 for level in LEVELS)
        if self.model.sampled_anchors > anchors:
            raise ValueError(
                f"model.sampled_anchors must be at most the {anchors:,} anchors of an image of "
                f"{self.data.image_size} pixels, got {self.model.sampled_anchors:,}"
            )
        regions = min(self.model.proposals, anchors) + self.data.max_objects
        if self.model.sampled_regions > regions:
            raise ValueError(
                f"model.sampled_regions must be at most {regions:,}, what model.proposals and data.max_objects leave "
                f"to draw from, got {self.model.sampled_regions:,}"
            )
        return self
