"""`lambda-zoo train --dry-run`: what a training is, what it takes and how long it is, without an image read."""

import dataclasses
from pathlib import Path

import keras
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import pseudo_labels
from lambda_keras.zoo.data.splits import RecordSplit
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.loading import check_backend
from lambda_keras.zoo.recipe import AnyRecipe, CommonTraining, Recipe
from lambda_keras.zoo.training import assemble, averages, memory
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.co_training import CoTraining
from lambda_keras.zoo.training.task import TaskType
from lambda_keras.zoo.training.trainer import Trainer, images_per_pass

GIGA = 1e9


def dry_run(recipe: Recipe, data_dir: str | Path | None = None, replicas: int = 1) -> str:
    """Returns the size, the steps and the memory of a training, before it is started and before its data are there.

    The model is built and its training step traced; no image is read, nothing is downloaded or written.

    Args:
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        data_dir: As for `lambda_keras.zoo.training.run.train`; the folder need not exist yet.
        replicas: Devices that share a batch.

    Returns:
        The resolved recipe as YAML with the rest in comments below it, so that the whole is a recipe file.

    Raises:
        UserError: The recipe does not fit the model, the data or the number of replicas.

    Example:
        >>> print(dry_run(recipe_file.load("digits")))  # doctest: +SKIP
    """
    training = recipe.training
    check_replicas(training, replicas)
    images = images_per_pass(training, replicas)
    dataset, is_here = catalog.without_download(recipe.data, data_dir)
    remark = "" if is_here else f" ({recipe.data.name} is not prepared here)"
    is_known = dataset.train is not None
    if not is_known:
        # One step an epoch, which only the schedule gets to see; there is no such file.
        one_batch = RecordSplit([("unknown", 0, training.batch_size)], parse=tf.identity)
        dataset = dataclasses.replace(dataset, train=one_batch)
    # The weights of the classes are counted from images, and take no memory.
    unweighted = recipe.model_copy(update={"training": training.model_copy(update={"class_weights": False})})
    pseudo = _pseudo_labels(recipe.data.pseudo, dataset)
    has_pseudo = recipe.data.pseudo is not None
    task = CoTraining(unweighted, dataset, pseudo) if has_pseudo else Classification(unweighted, dataset)
    task.check_pass(images)
    trainer = trainer_of(task, replicas)
    parts = memory.estimate(trainer, images)
    rows = {
        "model": recipe.model.name,
        "parameters": parameters(trainer.model),
        "multiply-adds": f"{lk.count_multiply_adds(trainer.model) / GIGA:.3g} G an image",
        "classes": str(len(dataset.class_names)),
        "images": (_images(dataset) if is_known else "unknown") + remark,
        **_row_of_pseudo(recipe, pseudo),
        "steps": _steps(training, task.length) if is_known else f"unknown, in {training.epochs} epochs",
        **rows_of_replica(training, replicas, parts),
    }
    return with_comments(recipe, rows)


def check_replicas(training: CommonTraining, replicas: int) -> None:
    """Refuses a number of replicas that is none or that cannot share a batch, and other backends than TensorFlow.

    Args:
        training: The section of the recipe.
        replicas: Devices that share a batch.

    Raises:
        UserError: It is one of these.
    """
    check_backend()
    if replicas < 1:
        raise UserError(f"--replicas must be at least 1, got {replicas}")
    images_per_pass(training, replicas)


def trainer_of(task: TaskType, replicas: int) -> Trainer[TaskType]:
    """Builds the trainer of a task as each of some replicas has it; nothing is trained with it.

    Args:
        task: A `lambda_keras.zoo.training.task.Task`.
        replicas: Devices that share a batch.

    Raises:
        UserError: The recipe does not fit the model or the data.
    """
    trainer = assemble.build_trainer(task, tf.distribute.get_strategy(), stopping=tf.Variable(0.0))
    for layer in averages.batch_norms(trainer.model):
        # As with that many replicas: without the fused kernel it keeps more for the gradient.
        layer.synchronized = task.training.synchronized_batch_norm and replicas > 1
    return trainer


def parameters(model: keras.Model) -> str:
    """How many numbers of a model are trained."""
    return f"{sum(weight.shape.num_elements() for weight in model.trainable_weights) / 1e6:.2f} M (trainable)"


def rows_of_replica(training: CommonTraining, replicas: int, parts: memory.Memory) -> dict[str, str]:
    """Learning rate, images and memory of each replica, by name.

    Args:
        training: The section of the recipe.
        replicas: Devices that share a batch.
        parts: The memory of a replica.
    """
    return {
        "learning rate": f"{training.peak_learning_rate:g} at its peak",
        "each replica": f"{images_per_pass(training, replicas)} images at a time: batch {training.batch_size} / "
        f"{replicas} replicas / {training.gradient_accumulation} passes",
        "memory": f"{parts.total / GIGA:.3g} GB on each replica, of which",
        **{f"  {name.replace('_', ' ')}": f"{size / GIGA:.3g} GB" for name, size in dataclasses.asdict(parts).items()},
    }


def with_comments(recipe: AnyRecipe, rows: dict[str, str]) -> str:
    """A recipe as YAML, with what is said of it in comments below.

    Args:
        recipe: The recipe.
        rows: Texts by name.
    """
    return recipe_file.dump(recipe) + "\n".join(["#", *(f"# {name:<18}{text}" for name, text in rows.items())])


def _images(dataset):
    return ", ".join(f"{getattr(dataset, name).count:,} {name}" for name in ("train", "validation", "test"))


def _pseudo_labels(section, dataset):
    """The pseudo-labelled images of a recipe; `None` where there are none, or not yet."""
    if section is None or not Path(section.folder).is_dir():
        return None
    return pseudo_labels.load(section.folder, dataset.class_names, section.streams)


def _row_of_pseudo(recipe, pseudo):
    section, batch_size = recipe.data.pseudo, recipe.training.batch_size
    if section is None:
        return {}
    images = f"{pseudo.split.count:,} images" if pseudo else f"unknown (there is no folder {section.folder})"
    return {"pseudo-labelled": f"{images}, {section.images_of(batch_size)} of {batch_size} in a batch"}


def _steps(training, length):
    steps, images = length.steps, length.steps * training.batch_size
    return f"{length.steps_per_epoch:,} an epoch, {steps:,} in {length.epochs} epochs ({images:,} images)"
