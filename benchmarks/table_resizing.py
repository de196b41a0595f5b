"""How to resize the position tables of a global scope: accuracy at other image sizes, without further training.

    python -m benchmarks.table_resizing [--fashion-mnist FOLDER]

trains `lambda_resnet_tiny` with a global scope at 32 pixels on digits, and on Fashion-MNIST where its idx files are
given, and gives its weights to models for other sizes, with tables resized in each way. Writes
results/table_resizing.csv; `lambda_keras.weights.transfer.resize_table` is the way that won, "cubic" and scaled.

A position lambda is a sum over the context, so it grows with the number of context positions; `scaled` tables are
multiplied by the old number over the new. `layer_difference` is the relative difference between the output of
the first lambda layer on a smooth input and its output at the trained size, resized.
"""

import argparse
import math

import keras
import numpy as np
from scipy.interpolate import RegularGridInterpolator

import lambda_keras as lk
from benchmarks.timing import write_csv
from lambda_keras.weights import transfer
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog

TRAINED_SIZE = 32
SIZES = (24, 40, 48, 64)
SEEDS = (0, 1, 2)
EPOCHS = {"digits": 20, "fashion_mnist": 2}
# Enough to distinguish the methods.
MOST_TRAINING_IMAGES, MOST_TEST_IMAGES = 20_000, 2000
LAYER = "c4_block2_lambda"


def main():
    """Trains, resizes, evaluates, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion-mnist", metavar="FOLDER", help="a folder with the idx files of Fashion-MNIST")
    folder = parser.parse_args().fashion_mnist
    rows = []
    for name in ("digits", "fashion_mnist") if folder else ("digits",):
        dataset = catalog.load(recipe_file.load(name).data, folder)
        for seed in SEEDS:
            for row in measure(dataset, seed):
                rows.append({"dataset": name, "seed": seed, **row})
                print(*rows[-1].values(), sep="\t", flush=True)
    write_csv("table_resizing", rows)


def measure(dataset, seed):
    """Yields a row for the trained size, then one for each size and way to resize."""
    keras.utils.set_random_seed(seed)
    images, labels = arrays(dataset.train, dataset, MOST_TRAINING_IMAGES)
    test_images, test_labels = arrays(dataset.test, dataset, MOST_TEST_IMAGES)
    trained = build(TRAINED_SIZE)
    epochs, batch_size = EPOCHS[dataset.name], 64
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * math.ceil(len(images) / batch_size))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.AdamW(rate, weight_decay=0.02), loss)
    trained.fit(resize_images(images, TRAINED_SIZE), labels, batch_size, epochs, verbose=0)

    def row(model, method, scaled):
        size = model.input_shape[1]
        logits = model.predict(resize_images(test_images, size), batch_size=200, verbose=0)
        return {
            "image_size": size,
            "method": method,
            "scaled": scaled,
            "accuracy": f"{np.mean(np.argmax(logits, -1) == test_labels):.4f}",
            "layer_difference": f"{layer_difference(trained, model):.3f}",
        }

    yield row(trained, "none", False)
    weights = {variable.path: keras.ops.convert_to_numpy(variable) for variable in trained.weights}
    for size in SIZES:
        model = build(size)
        variables = {variable.path: variable for variable in model.weights}
        tables = [path for path in variables if path.endswith("/table")]
        for path in variables.keys() - tables:
            variables[path].assign(weights[path])
        for method in ("crop or pad", "nearest", "linear", "cubic"):
            for scaled in (False, True):
                for path in tables:
                    variables[path].assign(resize(weights[path], variables[path].shape[:-2], method, scaled))
                yield row(model, method, scaled)


def resize(table, offsets, method, scaled):
    """A table resized in one of the ways."""
    old_axes = [np.arange(side) - side // 2 for side in table.shape[:-2]]
    new_axes = [np.arange(side) - side // 2 for side in offsets]
    ratios = [(len(old) + 1) / (len(new) + 1) for old, new in zip(old_axes, new_axes, strict=True)]
    if method == "cubic":
        resized = transfer.resize_table(table, offsets) / math.prod(ratios)
    elif method == "crop or pad":
        resized = interpolate(old_axes, table, new_axes, "nearest", bounds_error=False, fill_value=0.0)
    else:
        shares = [
            np.clip(ratio * new, old[0], old[-1]) for ratio, new, old in zip(ratios, new_axes, old_axes, strict=True)
        ]
        resized = interpolate(old_axes, table, shares, method)
    return resized * math.prod(ratios) if scaled else resized


def interpolate(old_axes, table, new_axes, method, **arguments):
    """SciPy's interpolation of the table at each combination of the new offsets."""
    points = np.stack(np.meshgrid(*new_axes, indexing="ij"), axis=-1)
    return RegularGridInterpolator(old_axes, table, method, **arguments)(points)


def layer_difference(trained, model):
    """How far the first lambda layer's output is from that at the trained size, resized; on smooth inputs."""
    outputs = []
    for layer in (trained.get_layer(LAYER), model.get_layer(LAYER)):
        _, side, _, channels = layer.input.shape
        # Fields of a few low frequencies, the same at each size.
        waves = np.cos(np.pi * np.arange(3)[:, None] * (np.arange(side) + 0.5) / side)
        amplitudes = np.random.default_rng(0).normal(size=(16, 3, 3, channels))
        outputs.append(layer(np.einsum("bijc,ix,jy->bxyc", amplitudes, waves, waves).astype("float32")))
    expected = keras.ops.image.resize(outputs[0], outputs[1].shape[1:3], interpolation="bicubic")
    difference = keras.ops.convert_to_numpy(outputs[1] - expected)
    return np.linalg.norm(difference) / np.linalg.norm(keras.ops.convert_to_numpy(expected))


def build(size):
    """The model for a size."""
    return lk.create_model(
        "lambda_resnet_tiny", scope_size=None, input_shape=(size, size, 1), classifier_activation=None
    )


def arrays(split, dataset, most):
    """Normalised images and labels of a part of a dataset."""
    images, labels = next(split.ordered().batch(most).as_numpy_iterator())
    return lk.preprocess_input(images, mean=dataset.mean, std=dataset.std), labels


def resize_images(images, size):
    """Images in another size, as arrays."""
    return keras.ops.convert_to_numpy(keras.ops.image.resize(images, (size, size)))


if __name__ == "__main__":
    main()
