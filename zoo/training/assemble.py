"""From a recipe to a model, a trainer and its stream of images."""

import contextlib
import dataclasses

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.command_line import narrate
from lambda_keras.zoo.data import input_pipeline
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.recipe import Recipe
from lambda_keras.zoo.training import averages
from lambda_keras.zoo.training.freezing import freeze
from lambda_keras.zoo.training.layer_rates import shares_of_rate
from lambda_keras.zoo.training.optimizers import build_optimizer
from lambda_keras.zoo.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Assembly:
    """All parts of one training.

    Attributes:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer` without its `train_dataset`.
        model: The model to export, with softmax and in float32; its weights are random until the trainer's are copied.
        steps_per_epoch: Steps in an epoch.
    """

    trainer: Trainer
    model: keras.Model
    steps_per_epoch: int

    def stream(self, start_step: int) -> tf.distribute.DistributedDataset:
        """The trainer's stream of images from a step on.

        Args:
            start_step: Steps that are done already.
        """
        return training_dataset(self.trainer, start_step)


def assemble(
    recipe: Recipe, dataset: Dataset, distribution: tf.distribute.Strategy, stopping: tf.Variable, is_new: bool
) -> Assembly:
    """Builds all parts of a training.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.
        distribution: A `tf.distribute.Strategy`.
        stopping: The variable of a `lambda_keras.zoo.training.preemption.StopFlag`.
        is_new: As for `build_trainer`.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, or its weights cannot be loaded.
    """
    trainer = build_trainer(recipe, dataset, distribution, stopping, is_new)
    return Assembly(trainer, build_model(recipe, dataset), steps_per_epoch(recipe, dataset))


def build_model(recipe: Recipe, dataset: Dataset, classifier_activation: str | None = "softmax") -> keras.Model:
    """Builds the recipe's model for the dataset's images and classes.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.
        classifier_activation: `None` for logits.

    Raises:
        UserError: The model's name or an override is unknown or does not fit.
    """
    size = recipe.data.image_size
    try:
        return lk.create_model(
            recipe.model.name,
            input_shape=(size, size, dataset.channels),
            classes=len(dataset.class_names),
            classifier_activation=classifier_activation,
            **recipe.model.overrides,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"model {recipe.model.name!r}: {error}") from error


def load_start(model: keras.Model, recipe: Recipe) -> lk.weights.LoadReport | None:
    """Gives a model the weights that the recipe starts from, if any, and prints what became of each.

    Args:
        model: From `build_model`.
        recipe: A `lambda_keras.zoo.recipe.Recipe`.

    Returns:
        What is printed, a `lambda_keras.weights.LoadReport`, or `None` where all weights are random.

    Raises:
        UserError: The weights are unavailable or do not fit.
    """
    start, report = recipe.model, None
    with errors_of_weights():
        if start.weights is not None:
            report = lk.load_weights(
                model,
                start.weights,
                fit="adapt",
                classifier="fresh" if start.fresh_classifier else "keep",
                architecture=start.name,
            )
        elif start.warm_start is not None:
            report = lk.warm_start(model, start.warm_start)
    if report is not None:
        narrate(report)
    return report


def build_trainer(
    recipe: Recipe, dataset: Dataset, distribution: tf.distribute.Strategy, stopping: tf.Variable, is_new: bool = False
) -> Trainer:
    """Builds model, optimizer and trainer in the strategy's scope.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.
        distribution: A `tf.distribute.Strategy`.
        stopping: The variable of a `lambda_keras.zoo.training.preemption.StopFlag`.
        is_new: Whether the weights are to be those that the recipe starts from; otherwise they are random, for a
            checkpoint to replace.

    Returns:
        A `lambda_keras.zoo.training.trainer.Trainer` without its `train_dataset`.

    Raises:
        UserError: The recipe does not fit the model, the data or the devices, or its weights cannot be loaded.
    """
    training = recipe.training
    keras.utils.set_random_seed(training.seed)
    with distribution.scope(), _precision(training.precision):
        model = build_model(recipe, dataset, classifier_activation=None)
        start = load_start(model, recipe) if is_new else None
        freeze(model, training)
        for layer in averages.batch_norms(model):
            # With one replica there is nothing to synchronise, and the fused kernel to gain.
            layer.synchronized = training.synchronized_batch_norm and distribution.num_replicas_in_sync > 1
        shares = shares_of_rate(model, training.stage_decay) if training.stage_decay < 1 else None
        optimizer = build_optimizer(training, steps_per_epoch(recipe, dataset), model.trainable_variables, shares)
    return Trainer(model, optimizer, dataset, recipe, distribution, stopping, start)


def training_dataset(trainer: Trainer, start_step: int) -> tf.distribute.DistributedDataset:
    """The training stream from a step on, for all replicas.

    Args:
        trainer: A `lambda_keras.zoo.training.trainer.Trainer`.
        start_step: Steps that are done already.

    Returns:
        A distributed dataset for `trainer.train_dataset`.
    """
    recipe, dataset = trainer.recipe, trainer.dataset

    def batches_of_worker(context):
        return input_pipeline.training_batches(
            dataset.train,
            dataset,
            recipe.data,
            batch_size=trainer.images_per_pass,
            seed=recipe.training.seed,
            start=start_step * recipe.training.batch_size,
            shard=context.input_pipeline_id,
            num_shards=context.num_input_pipelines,
        )

    return trainer.strategy.distribute_datasets_from_function(batches_of_worker)


def steps_per_epoch(recipe: Recipe, dataset: Dataset) -> int:
    """Steps in an epoch; the images of an incomplete batch begin the next one.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.

    Raises:
        UserError: A batch is larger than the training part.
    """
    images, batch_size = dataset.train.count, recipe.training.batch_size
    if batch_size > images:
        raise UserError(f"training.batch_size {batch_size} is more than the {images} training images")
    return images // batch_size


@contextlib.contextmanager
def _precision(policy):
    """A dtype policy for the length of a block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
