"""What the training of a classifier writes and prints at its end."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import lambda_keras as lk
from lambda_keras.atomic import replacing
from lambda_keras.zoo import plots, run_folder
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.data import reading
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.recipe import Recipe

# test.npz holds at most this many bytes of pixels: all of a small test split, an even sample of a large one.
SAMPLE_BYTES = 64 * 2**20


def report(accuracy: float, images: float, folder: str | Path) -> None:
    """Prints the end of a training.

    Args:
        accuracy: On the test split, 0..1.
        images: How many images it is of.
        folder: The run folder.
    """
    print(f"Test accuracy {accuracy:.2%}: {accuracy * images:.0f} of {images:.0f} images that training never saw")
    say(f"Wrote {folder}")


def write_model(model: keras.Model, dataset: Dataset, recipe: Recipe, folder: Path) -> None:
    """Writes the model and its record.

    Args:
        model: The model to export.
        dataset: A `lambda_keras.zoo.data.splits.Dataset`.
        recipe: A `lambda_keras.zoo.recipe.Recipe`.
        folder: The run folder.
    """
    Record.of(recipe, dataset).write(folder / run_folder.RECORD)
    with replacing(folder / run_folder.MODEL) as partial:
        model.save(partial)


def write(
    model: keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    rows: list[dict],
    folder: Path,
    check: Callable[[], None],
) -> None:
    """Writes the files of a finished run: those of `write_model`, a sample of the test split and the pictures.

    Args:
        model: The model to export.
        dataset: The data.
        recipe: The recipe.
        rows: The rows of `lambda_keras.zoo.training.metrics_log.MetricsLog`.
        folder: The run folder.
        check: A function that raises an error where a signal has come; it is called before each piece of work.
    """
    check()
    write_model(model, dataset, recipe, folder)
    check()
    with replacing(folder / run_folder.CURVES) as partial:
        plots.curves(rows, partial)
    check()
    images, labels = _sample(dataset, recipe)
    with replacing(folder / run_folder.TEST_SPLIT) as partial:
        np.savez_compressed(
            partial,
            images=images,
            labels=labels,
            mean=np.array(dataset.mean, "float32"),
            std=np.array(dataset.std, "float32"),
            class_names=np.array(dataset.class_names),
        )
    check()
    normalised = lk.preprocess_input(images, mean=dataset.mean, std=dataset.std)
    probabilities = model.predict(normalised, batch_size=32, verbose=0)
    with replacing(folder / run_folder.PREDICTIONS) as partial:
        plots.predictions(images, labels, probabilities, dataset.class_names, partial)


def _sample(dataset, recipe):
    """Test images, uint8, and int64 labels: all of them or, at even distances, as many as the limit allows."""
    split, size = dataset.test, recipe.data.image_size
    limit = max(SAMPLE_BYTES // (size * size * dataset.channels), 1)
    every = -(-split.count // limit)
    batches = reading.batches(split, dataset, recipe.data, batch_size=min(limit, 256), every=every)
    room = np.empty((-(-split.count // every), size, size, dataset.channels), "uint8")
    sample = reading.collect(batches, reading.Batch.readable, room)
    return sample.rows, sample.labels
