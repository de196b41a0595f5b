"""`lambda-zoo detect train --dry-run`: what the training of a detector takes and how long it is; no picture is read."""

import keras

from lambda_keras.zoo.detection import losses
from lambda_keras.zoo.detection.data.pictures import CHANNELS
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.detection.task import Detection, Parts, task_of
from lambda_keras.zoo.training import memory
from lambda_keras.zoo.training.dry_run import (
    check_replicas,
    parameters,
    rows_of_replica,
    trainer_of,
    with_comments,
)
from lambda_keras.zoo.training.trainer import images_per_pass


def dry_run(recipe: DetectorRecipe, parts: Parts, replicas: int = 1) -> str:
    """Returns the size, the steps and the memory of a training before it is started.

    The model is built and its training step traced; no picture is read, nothing is downloaded or written.

    Args:
        recipe: A `lambda_keras.zoo.detection.recipe.DetectorRecipe`.
        parts: Its pictures, of which the categories and the number count.
        replicas: Devices that share a batch.

    Returns:
        The resolved recipe as YAML with the rest in comments below it, so that the whole is a recipe file.

    Raises:
        UserError: The recipe does not fit the model, the data or the number of replicas.

    Example:
        >>> print(dry_run(recipe_file.load_as(DetectorRecipe, "stamps"), parts))  # doctest: +SKIP
    """
    training = recipe.training
    check_replicas(training, replicas)
    images = images_per_pass(training, replicas)
    task = task_of(recipe, parts)
    trainer = trainer_of(task, replicas)
    size = recipe.data.image_size
    kept = _kept(task, trainer.model, images)
    needed = memory.with_activations(trainer, images, (size, size, CHANNELS), kept)
    rows = {
        "model": f"{recipe.model.architecture} on {recipe.model.backbone}",
        "parameters": parameters(trainer.model),
        "classes": str(len(parts.train.categories)),
        "pictures": ", ".join(f"{part.split.count:,} {name}" for name, part in parts._asdict().items()),
        "steps": f"{training.steps:,} ({task.epochs_of_images(training.steps):.3g} times all pictures), an evaluation "
        f"every {task.length.steps_per_epoch:,}",
        **rows_of_replica(training, replicas, needed),
    }
    return with_comments(recipe, rows)


def _kept(task: Detection, model: keras.Model, images: int) -> int:
    """Bytes that the gradient of a pass needs of the forward pass."""
    stream = task.batches(batch_size=images, start=0, shard=0, num_shards=1)

    def loss(batch):
        terms = task.losses(model, task.normalised(batch["image"]), batch)
        return losses.mean(terms, {name: term.count for name, term in terms.items()})

    return memory.kept(loss, model.trainable_variables, stream.element_spec)
