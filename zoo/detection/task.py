"""Detection as a task of the training loop: Mask R-CNN and RetinaNet on pictures with objects.

Losses are divided by counts of objects, anchors and pixels. These are added up over the replicas before, so that two
replicas train as one device does; and regions are drawn from seeds of the pictures' positions in the whole stream, so
that any number of replicas draws the same.
"""

import abc
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.command_line import narrate
from lambda_keras.zoo.detection import detections, losses, retinanet
from lambda_keras.zoo.detection.data import input_pipeline
from lambda_keras.zoo.detection.data.parts import Part
from lambda_keras.zoo.detection.detections import Detections
from lambda_keras.zoo.detection.forward import mask_rcnn_terms
from lambda_keras.zoo.detection.losses import Term
from lambda_keras.zoo.detection.model import MaskRCNN, build_mask_rcnn, freeze_stages, network_of
from lambda_keras.zoo.detection.recipe import DetectorRecipe, DetectorTraining
from lambda_keras.zoo.detection.retinanet import RetinaNet, build_retinanet, retinanet_terms
from lambda_keras.zoo.detection.sampling import seeds_of_images
from lambda_keras.zoo.detection.schedules import build_schedule
from lambda_keras.zoo.detection.sums import MaskRCNNSums, RetinaNetSums
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.training.averages import batch_norms
from lambda_keras.zoo.training.task import Length, Row, Task

# The draws of an image's anchors and regions, among those of a seed.
SAMPLING = 1


class Parts(NamedTuple):
    """What a detector is trained and evaluated on.

    Attributes:
        train: The part to train on.
        validation: The part to evaluate on, of the same categories.
    """

    train: Part
    validation: Part


class Detection(Task[Any]):
    """The training of a detector; `task_of` makes the one that a recipe is of.

    Args:
        recipe: A `lambda_keras.zoo.detection.recipe.DetectorRecipe`.
        parts: Its pictures.

    Attributes:
        config: What the model is built from.
        terms: The names of the losses.
        kinds: Of what there are average precisions: `box`, and `mask` with masks.

    Raises:
        UserError: The parts are not of the same categories.
    """

    warmup_key = "warmup_steps"
    inspection = "lambda-zoo detect inspect-data"
    config: MaskRCNN | RetinaNet
    terms: tuple[str, ...]

    def __init__(self, recipe: DetectorRecipe, parts: Parts):
        train, validation = (part.categories for part in parts)
        if train != validation:
            raise UserError(
                f"the pictures to train on and those to evaluate on have other categories: {_names(train)}, and "
                f"{_names(validation)}"
            )
        self.recipe: DetectorRecipe = recipe
        self.training: DetectorTraining = recipe.training
        self.parts = parts
        self.images = parts.train.split.described()
        self.kinds = ("box", "mask") if recipe.model.masks else ("box",)
        steps = self.training.evaluation_steps or max(parts.train.split.count // self.training.batch_size, 1)
        self.length = Length(self.training.steps, min(steps, self.training.steps))
        # Without masks there is no loss of them.
        self.terms = tuple(name for name in self.sums._fields[1:-3] if name != "mask" or recipe.model.masks)
        figures = (f"val_{kind}_{figure}" for kind in self.kinds for figure in ("ap", "ap50"))
        self.columns = ("loss", *self.terms, *figures, "val_images")
        self.best_by = f"val_{self.kinds[-1]}_ap"

    @abc.abstractmethod
    def losses(self, model: keras.Model, images: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, Term]:
        """The losses of a replica's share of a batch, by the names of the sums; called in a graph.

        Args:
            model: From `build_model`.
            images: float32 `[batch, image_size, image_size, 3]`, normalised.
            batch: An element of `batches`.
        """

    @abc.abstractmethod
    def detect(
        self, model: keras.Model, images: tf.Tensor, content_sizes: tf.Tensor, combined_suppression: bool
    ) -> Detections:
        """Finds the objects of images; called in a graph.

        Args:
            model: From `build_model`.
            images: As for `losses`.
            content_sizes: As for `lambda_keras.zoo.detection.detections.detect`.
            combined_suppression: As there.
        """

    def build_exported_model(self) -> keras.Model:
        """The same model, in float32."""
        return self.build_model()

    def load_start(self, model: keras.Model) -> lk.weights.LoadReport | None:
        """Loads the recipe's `weights` into the backbone."""
        start = self.recipe.model
        if start.weights is None:
            return None
        with errors_of_weights():
            report = lk.load_weights(network_of(model), start.weights, fit="adapt", architecture=start.backbone)
        narrate(report)
        return report

    def freeze(self, model: keras.Model) -> None:
        """Freezes stages of the backbone, or its BatchNorm, as the recipe says."""
        if self.recipe.model.frozen_stages is not None:
            freeze_stages(model, self.recipe.model.frozen_stages)
        if self.training.frozen_batch_norm:
            for layer in batch_norms(network_of(model)):
                layer.trainable = False

    def schedule(self) -> keras.optimizers.schedules.LearningRateSchedule:
        """The recipe's schedule."""
        return build_schedule(self.training)

    def batches(self, *, batch_size: int, start: int, shard: int, num_shards: int) -> tf.data.Dataset:
        """Batches of `lambda_keras.zoo.detection.data.input_pipeline.training_batches`."""
        data = self.recipe.data
        return input_pipeline.training_batches(
            self.parts.train,
            image_size=data.image_size,
            batch_size=batch_size,
            seed=self.training.seed,
            with_masks=self.recipe.model.masks,
            max_objects=data.max_objects,
            scales=data.scales,
            horizontal_flip=data.horizontal_flip,
            most_pixels=data.most_pixels,
            start=start,
            shard=shard,
            num_shards=num_shards,
        )

    def loss(self, model: keras.Model, batch: dict[str, tf.Tensor], passes: tf.Variable) -> tuple[tf.Tensor, Any]:
        """The losses of the replica's images, divided by the counts of all replicas."""
        terms = self.losses(model, self.normalised(batch["image"]), batch)
        counts = _over_replicas({name: term.count for name, term in terms.items()})
        shares = {name: losses.mean({name: term}, counts) for name, term in terms.items()}
        loss = tf.add_n(list(shares.values()))
        images = self.training.batch_size
        sums = self.sums.of(tf.zeros(len(self.sums._fields)))._replace(
            loss=loss * images,
            **{name: share * images for name, share in shares.items()},
            images=tf.cast(tf.size(batch["valid"]), tf.float32),
            unreadable=tf.reduce_sum(tf.cast(~batch["valid"], tf.float32)),
        )
        return loss, sums

    def normalised(self, images: tf.Tensor) -> tf.Tensor:
        """The images of a batch as the model takes them.

        Args:
            images: uint8 `[batch, height, width, 3]`.

        Returns:
            float32 of the same shape.
        """
        return lk.preprocess_input(images, mean=self.recipe.data.mean, std=self.recipe.data.std)

    def means(self, sums: Any) -> dict[str, float]:
        """The loss, and each that it is the sum of."""
        return {name: getattr(sums, name) / sums.images for name in ("loss", *self.terms)}

    def figures(self, sums: Any, validation: dict[str, float | None]) -> Row:
        """The losses of the epoch, the average precisions after it, and the pictures that these are of."""
        means = self.means(sums)
        others = [column for column in self.columns if column not in means]
        return {**means, **{column: validation.get(column.removeprefix("val_")) for column in others}}

    def introduction(self) -> list[str]:
        """The parts, how many categories there are, and what was left out of the data."""
        parts = self.parts._asdict()
        counts = (f"{part.split.count:,} {name}" for name, part in parts.items())
        skipped = [f"skipped ({name}): {words}" for name, part in parts.items() for words in part.left_out()]
        return [f"{', '.join(counts)} pictures of {self.config.classes} categories", *skipped, *self._too_many()]

    def _too_many(self):
        report, taken = self.parts.train.report, self.recipe.data.max_objects
        most = 0 if report is None else report.most_objects or 0
        if most <= taken:
            return []
        return [
            f"a training picture has up to {most:,} objects; those behind the first {taken:,} that are seen count as "
            "background: data.max_objects takes more"
        ]

    def epochs_of_images(self, step: int) -> float:
        """Passes over the training part."""
        return step * self.training.batch_size / self.parts.train.split.count

    def brief(self, means: dict[str, float]) -> dict[str, str]:
        """The loss."""
        return {"loss": f"{means['loss']:.3f}"}

    def line(self, row: Row) -> str:
        """The loss and the average precisions."""
        return f"loss {row['loss']:.4f}  {self.precisions(row)}"

    def precisions(self, row: Row) -> str:
        """The average precisions of a row, `–` where there was no object to find, and how many pictures were not read.

        Args:
            row: From `figures`.
        """
        values = [(kind, *(_percent(row[f"val_{kind}_{figure}"]) for figure in ("ap", "ap50"))) for kind in self.kinds]
        words = [f"{kind} AP {ap}  AP50 {ap50}" for kind, ap, ap50 in values]
        count = self.parts.validation.split.count
        if unread := count - int(row["val_images"] or 0):
            words.append(f"{unread:,} of {count:,} pictures to evaluate with could not be read")
        return "  ".join(words)


class MaskRCNNDetection(Detection):
    """The training of a Mask R-CNN."""

    sums = MaskRCNNSums

    def __init__(self, recipe: DetectorRecipe, parts: Parts):
        super().__init__(recipe, parts)
        values = recipe.model.model_dump(exclude={"architecture", "weights", "frozen_stages"})
        self.config: MaskRCNN = MaskRCNN(
            classes=len(parts.train.categories), image_size=recipe.data.image_size, **values
        )

    def build_model(self) -> keras.Model:
        """The recipe's Mask R-CNN."""
        return build_mask_rcnn(self.config)

    def losses(self, model: keras.Model, images: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, Term]:
        """The five losses, or four without masks."""
        # XLA takes seeds of 32 bits.
        positions = tf.cast(batch["position"] % 2**31, tf.int32)
        seeds = seeds_of_images(tf.constant([self.training.seed, SAMPLING]), positions)
        return mask_rcnn_terms(self.config, model, images, batch, seeds)

    def detect(
        self, model: keras.Model, images: tf.Tensor, content_sizes: tf.Tensor, combined_suppression: bool
    ) -> Detections:
        """Boxes and masks."""
        return detections.detect(self.config, model, images, content_sizes, combined_suppression)


class RetinaNetDetection(Detection):
    """The training of a RetinaNet."""

    sums = RetinaNetSums

    def __init__(self, recipe: DetectorRecipe, parts: Parts):
        super().__init__(recipe, parts)
        values = recipe.model.model_dump(include={"backbone", "overrides", "channels", "detections"})
        self.config: RetinaNet = RetinaNet(
            classes=len(parts.train.categories), image_size=recipe.data.image_size, **values
        )

    def build_model(self) -> keras.Model:
        """The recipe's RetinaNet."""
        return build_retinanet(self.config)

    def losses(self, model: keras.Model, images: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, Term]:
        """The focal loss and that of the boxes; nothing is drawn."""
        terms = retinanet_terms(self.config, model, images, batch)
        return {f"anchor_{name}": term for name, term in terms.items()}

    def detect(
        self, model: keras.Model, images: tf.Tensor, content_sizes: tf.Tensor, combined_suppression: bool
    ) -> Detections:
        """Boxes."""
        return retinanet.detect(self.config, model, images, content_sizes, combined_suppression)


def task_of(recipe: DetectorRecipe, parts: Parts) -> Detection:
    """The training that a recipe is of.

    Args:
        recipe: A `lambda_keras.zoo.detection.recipe.DetectorRecipe`.
        parts: Its pictures.

    Raises:
        UserError: The parts are not of the same categories.
    """
    kind = {"mask_rcnn": MaskRCNNDetection, "retinanet": RetinaNetDetection}[recipe.model.architecture]
    return kind(recipe, parts)


def _over_replicas(counts):
    """Counts added up over the replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return counts
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, [tf.stop_gradient(count) for count in counts.values()])
    return dict(zip(counts, summed, strict=True))


def _percent(precision):
    return "–" if precision is None else f"{100 * precision:.1f} %"


def _names(categories):
    names = ", ".join(category.name for category in categories[:5])
    return names + (", …" if len(categories) > 5 else "")
