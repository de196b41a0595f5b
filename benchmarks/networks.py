"""Networks with random weights, and the step or the inference of one that is timed."""

import math

import keras
import numpy as np

import lambda_keras as lk
from benchmarks import steps
from benchmarks.timing import interleaved_medians, write_csv

# Side of the images of `compare` in pixels; in the short form.
IMAGE_SIZE, SHORT_IMAGE_SIZE = 224, 112
BATCH = 4


def build(name, image_size, **fields):
    """A model that returns logits, of this package (`fields` change its configuration) or of `keras.applications`."""
    shape = (image_size, image_size, 3)
    if name in vars(keras.applications):
        return vars(keras.applications)[name](weights=None, input_shape=shape, classifier_activation=None)
    return lk.create_model(name, input_shape=shape, classifier_activation=None, **fields)


def images_for(model, batch):
    """A batch of normal numbers."""
    numbers = np.random.default_rng(0).normal(size=(batch, *model.input_shape[1:]))
    return keras.ops.convert_to_tensor(numbers, "float32")


def training_step(model, batch):
    """A function without arguments that trains one step."""
    return steps.training_step(model, images_for(model, batch), keras.ops.arange(batch, dtype="int32"))


def inference(model, batch):
    """A function without arguments that classifies a batch."""
    return steps.inference(model, images_for(model, batch))


def compare(table, variants, base, short):
    """Times networks by turns, for inference and for training; prints a row for each and writes them.

    Args:
        table: The CSV file is `results/<table>.csv`.
        variants: The networks, each by its name and the fields of its configuration that differ: `{label: (name,
            fields)}`.
        base: The label to whose time the ratios are.
        short: Whether this is the short form, with smaller images.
    """
    image_size = SHORT_IMAGE_SIZE if short else IMAGE_SIZE
    models = {label: build(name, image_size, **fields) for label, (name, fields) in variants.items()}
    seconds = {
        mode: interleaved_medians({label: step(model, BATCH) for label, model in models.items()}, short=short)
        for mode, step in (("inference", inference), ("training", training_step))
    }
    rows = [
        {
            "network": label,
            "image_size": image_size,
            "batch": BATCH,
            "parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
            "multiply_adds": lk.count_multiply_adds(model),
            **{f"{mode}_seconds": f"{of_mode[label]:.4f}" for mode, of_mode in seconds.items()},
            **{f"{mode}_ratio": f"{of_mode[label] / of_mode[base]:.2f}" for mode, of_mode in seconds.items()},
        }
        for label, model in models.items()
    ]
    for row in rows:
        print(*row.values(), sep="\t")
    write_csv(table, rows, short=short)
