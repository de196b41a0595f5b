"""The schema of a recipe: one training setting, typed and bounded.

`lambda_keras.zoo.recipe_file` reads recipes and says where in a file an error is.
"""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator, model_validator

from lambda_keras.zoo.data.limits import LARGEST_BATCH, MOST_PIXELS, MOST_STREAMS
from lambda_keras.zoo.errors import UserError

# How far from a whole number a share of images may be, for each image.
_ROUNDING = 1e-5


class Section(BaseModel):
    """A section of a recipe: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Model(Section):
    """Which model to build.

    Attributes:
        name: A name of `lambda_keras.list_models()`.
        overrides: Keywords of `lambda_keras.create_model` that differ from the model's own configuration.
        weights: Weights to start from, as `lambda_keras.load_weights` takes them: `imagenet`, a tag, a path or
            `hf://owner/repository[@revision]`. A classifier of another number of classes starts at random. By default
            all does.
        fresh_classifier: Whether the classifier starts at random although `weights` have one of as many classes.
        warm_start: `resnet_rs` to start from a ResNet-RS of the same depth, all but the lambda layers.
    """

    name: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    fresh_classifier: bool = False
    warm_start: Literal["resnet_rs"] | None = None

    @field_validator("overrides")
    @classmethod
    def _leave_the_data_alone(cls, overrides):
        if taken := {"input_shape", "classes", "classifier_activation", "features_only"} & set(overrides):
            raise ValueError(f"{', '.join(sorted(taken))} must be left out: the data and the training decide")
        if taken := {"weights", "warm_start"} & set(overrides):
            raise ValueError(f"{', '.join(sorted(taken))} must be left out: it is a key beside overrides")
        return overrides

    @model_validator(mode="after")
    def _has_one_start(self):
        if self.weights is not None and self.warm_start is not None:
            raise ValueError(f"weights and warm_start exclude each other, got {self.weights} and {self.warm_start}")
        if self.fresh_classifier and self.weights is None:
            raise ValueError("fresh_classifier is for weights; without them the classifier is random anyway")
        return self


class Images(Section):
    """Which images to train on.

    Attributes:
        name: `digits`, `fashion_mnist`, `image_folder`, `image_table`, or any image classification dataset of
            TensorFlow Datasets, such as `imagenet2012` or `cats_vs_dogs:4.0.1`.
        train: Split expression of TensorFlow Datasets for the training part, such as `train[20shard:]`; by default
            `train` without the share of `validation_fraction`.
        validation: The same for the validation part; give both or neither.
        test: The same for the test part; by default `test`, or `validation` where there is no `test`.
        validation_fraction: Share of the training part that is held back for validation.
        streams: Streams that record files are read as, see `lambda_keras.zoo.data.record_streams`, by default 16. The
            number of workers must divide it. For TensorFlow Datasets only.
        image_size: Side of the model's images in pixels.
    """

    name: str = Field(min_length=1)
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    validation_fraction: float = Field(default=0.1, gt=0, le=0.5)
    streams: int | None = Field(default=None, ge=1, le=MOST_STREAMS)
    image_size: int = Field(ge=8, le=1024)

    @model_validator(mode="after")
    def _splits_belong_together(self):
        if (self.train is None) != (self.validation is None):
            raise ValueError("train and validation are given together or not at all")
        return self


class Augmentation(Section):
    """How training images are varied.

    Attributes:
        crop: How training images are cropped: `inception` (8 to 100 % of the area, aspect ratio 3/4 to 4/3), `pad`
            (`crop_padding` black pixels on each side, then a crop of the original size) or `none` (as in evaluation).
        crop_padding: Pixels for `crop: pad`.
        horizontal_flip: Whether half of the training images are mirrored.
        randaugment_layers: Operations that RandAugment applies to a training image, 0 for none.
        randaugment_magnitude: Their strength, 0 to 30; RandAugment's scale has 10 levels, above which it extrapolates.
        random_erasing: Probability that a rectangle of a training image is filled with noise.
        mixup: Alpha of mixup's Beta distribution, 0 for none.
        cutmix: Alpha of CutMix's Beta distribution, 0 for none. With mixup too, each batch takes one of the two.
    """

    crop: Literal["inception", "pad", "none"] = "none"
    crop_padding: int = Field(default=0, ge=0, le=128)
    horizontal_flip: bool = False
    randaugment_layers: int = Field(default=0, ge=0, le=8)
    randaugment_magnitude: float = Field(default=10, ge=0, le=30)
    random_erasing: float = Field(default=0, ge=0, le=1)
    mixup: float = Field(default=0, ge=0, le=10)
    cutmix: float = Field(default=0, ge=0, le=10)

    @model_validator(mode="after")
    def _padding_belongs_to_its_crop(self):
        if (self.crop == "pad") != (self.crop_padding > 0):
            raise ValueError(
                f"crop: pad and a crop_padding above 0 go together, got {self.crop} and {self.crop_padding}"
            )
        return self


class Pseudo(Section):
    """Pseudo-labelled images that are trained on beside the labelled ones, in every batch as many.

    Attributes:
        folder: What `lambda-zoo pseudo-label select` wrote.
        share: Share of a batch that is pseudo-labelled, such as 0.75 for three pseudo-labelled images beside each
            labelled one. It must give whole numbers of images in a batch and in each pass of a replica.
        streams: As for the labelled images.
        augmentation: How these images are varied; by default as the labelled ones, with draws of their own.
    """

    folder: str = Field(min_length=1)
    share: float = Field(gt=0, lt=1)
    streams: int | None = Field(default=None, ge=1, le=MOST_STREAMS)
    augmentation: Augmentation | None = None

    def images_of(self, images: int) -> int:
        """How many of some images are pseudo-labelled.

        Args:
            images: Those of a batch, or of a pass.

        Raises:
            UserError: The share of them is no whole number, or all or nothing.

        Example:
            >>> Pseudo(folder="selected", share=0.75).images_of(128)
            96
        """
        count = round(images * self.share)
        # A share such as 0.66667 is meant to be two thirds.
        if abs(images * self.share - count) > _ROUNDING * images or not 0 < count < images:
            raise UserError(
                f"data.pseudo.share {self.share} of {images} images must be a whole number of them, and not all or "
                f"none; got {images * self.share:g}: choose training.batch_size, training.gradient_accumulation or the "
                "share so that it comes out even in every pass"
            )
        return count


class Data(Augmentation, Images):
    """Which images to train on, how they are varied and how they are read.

    Attributes:
        evaluation_crop: Share of the side that the central crop keeps in evaluation (timm's crop_pct).
        interpolation: How images are resized.
        channels: Channels that images of `image_folder` and `image_table` are read with, 3 by default; other datasets
            have their own.
        mean: Mean of each channel that the images are normalised with, on the scale 0 to 1: that of the weights to
            start from. By default the dataset's own, see `lambda_keras.zoo.data.catalog.load`; give both or neither.
        std: The same of the standard deviation.
        most_pixels: How many pixels an image file may have; one with more counts as damaged.
        pseudo: Pseudo-labelled images beside the labelled ones, a `Pseudo`; by default none.
    """

    # A smaller share would make an image of a few pixels one of billions.
    evaluation_crop: float = Field(default=1, ge=0.1, le=1)
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    channels: Literal[1, 3, 4] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[PositiveFloat, ...] | None = None
    most_pixels: int = Field(default=MOST_PIXELS, ge=1, le=2**31)
    pseudo: Pseudo | None = None

    @model_validator(mode="after")
    def _channels_fit(self):
        if self.channels is not None:
            # Not above: it imports TensorFlow, and few recipes say their channels.
            from lambda_keras.zoo.data import catalog

            if not catalog.source_of(self.name).takes_channels:
                take = [name for name, source in catalog.SOURCES.items() if source.takes_channels]
                raise ValueError(f"channels is for {' and '.join(take)}; {self.name} has its own")
        if len(self.mean or ()) != len(self.std or ()):
            raise ValueError(f"mean and std need a value for each channel, got {self.mean} and {self.std}")
        return self

    @property
    def of_pseudo(self) -> "Data":
        """The same for pseudo-labelled images, which may be varied in another way."""
        if self.pseudo is None or self.pseudo.augmentation is None:
            return self
        return self.model_copy(update=dict(self.pseudo.augmentation))


class CommonTraining(Section):
    """How the weights are found: what the training of every task has.

    Attributes:
        batch_size: Images in a step, over all replicas and all its gradient accumulation.
        gradient_accumulation: Passes in which a replica processes its share of a batch; their gradients are summed.
            BatchNorm's statistics are those of a pass.
        optimizer: `momentum` and `nesterov` are SGD; `rmsprop` has momentum too.
        momentum: Of `momentum`, `nesterov` and `rmsprop`.
        learning_rate: The peak, for `learning_rate_batch_size` images in a batch; it grows linearly with `batch_size`.
        learning_rate_batch_size: Images that `learning_rate` is meant for; by default `batch_size`, so no scaling.
        weight_decay: For `momentum`, `nesterov` and `rmsprop` the gradient of a weight w gains `weight_decay * w`
            (L2 regularisation, as in the paper); for `adamw` and `lamb` it is decoupled from the gradient.
        weight_decay_on: `kernels` spares biases, BatchNorm and position tables; `all` does not.
        frozen_batch_norm: Whether BatchNorm keeps its statistics, scales and offsets, and normalises as in inference.
        gradient_clipping: The largest global norm of the gradient of a batch; by default no limit.
        ema_decay: Decay of the moving average of the weights, such as 0.9999; by default there is none. Where there
            is one, the averaged weights are evaluated and exported.
        synchronized_batch_norm: Whether BatchNorm's statistics are over all replicas.
        precision: Keras' dtype policy. `mixed_float16` scales the loss.
        xla: Whether to compile the step with XLA, for strategy `default` (a TPU always does).
        early_stopping_epochs: Stop after this many epochs without a better validation accuracy, and keep the best
            weights; by default train to the end.
        checkpoint_steps: Steps between checkpoints; by default an epoch.
        steps_per_loop: Steps between two looks at the loss, for the progress bar and TensorBoard.
        seed: Seed of the initial weights, the order of the images, the augmentation and dropout.
    """

    batch_size: int = Field(ge=1, le=LARGEST_BATCH)
    gradient_accumulation: int = Field(default=1, ge=1, le=1024)
    optimizer: Literal["momentum", "nesterov", "rmsprop", "adamw", "lamb"]
    momentum: float = Field(default=0.9, ge=0, lt=1)
    learning_rate: float = Field(gt=0, le=100)
    learning_rate_batch_size: int | None = Field(default=None, ge=1)
    weight_decay: float = Field(default=0, ge=0, le=1)
    weight_decay_on: Literal["kernels", "all"] = "kernels"
    frozen_batch_norm: bool = False
    gradient_clipping: float | None = Field(default=None, gt=0)
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    synchronized_batch_norm: bool = False
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    xla: bool = False
    early_stopping_epochs: int | None = Field(default=None, ge=1)
    checkpoint_steps: int | None = Field(default=None, ge=1)
    steps_per_loop: int = Field(default=20, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at the end of the warm-up, scaled to the batch size."""
        return self.learning_rate * self.batch_size / (self.learning_rate_batch_size or self.batch_size)


class Training(CommonTraining):
    """How the weights of a classifier are found.

    Attributes:
        epochs: Passes over the training images.
        schedule: What follows the warm-up: `cosine` falls to zero, `exponential` multiplies by `decay_rate` every
            `decay_epochs`, `constant` stays.
        decay_rate: Of the exponential schedule.
        decay_epochs: Of the exponential schedule.
        warmup_epochs: Epochs of linear warm-up from zero.
        trained_layers: `all`, or `head` to train the classifier alone; all other layers then run as in inference.
        stage_decay: What a stage's learning rate is multiplied by for each stage that comes after it, the classifier
            among them, see `lambda_keras.zoo.training.layer_rates`; 1 for the same rate everywhere.
        class_weights: Whether the loss of an image is multiplied by images / (classes · images of its class), so that
            all classes count alike. The losses that are printed and compared have no weights.
        label_smoothing: Share of the target that is spread evenly over all classes.
    """

    epochs: int = Field(ge=1, le=10_000)
    schedule: Literal["cosine", "exponential", "constant"] = "cosine"
    decay_rate: float = Field(default=0.99, gt=0, le=1)
    decay_epochs: float = Field(default=3, gt=0)
    warmup_epochs: float = Field(default=0, ge=0)
    trained_layers: Literal["all", "head"] = "all"
    stage_decay: float = Field(default=1, gt=0, le=1)
    class_weights: bool = False
    label_smoothing: float = Field(default=0, ge=0, lt=1)

    @model_validator(mode="after")
    def _warmup_ends(self):
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} must be below epochs {self.epochs}")
        return self


class AnyRecipe(Section):
    """A training setting of any task: `model`, `data` and `training`, whose schemas are the task's.

    Attributes:
        FOLDER: Where packaged recipes of the task are, below `zoo/`.
        COMMAND: What trains one.
        EXPECTATION: What the first comment line of a packaged one says, before a colon and figures.
    """

    FOLDER: ClassVar[str]
    COMMAND: ClassVar[str]
    EXPECTATION: ClassVar[str]


class Recipe(AnyRecipe):
    """The training setting of a classifier."""

    FOLDER = "recipes"
    COMMAND = "lambda-zoo train"
    EXPECTATION = "Expected test accuracy"

    model: Model
    data: Data
    training: Training
