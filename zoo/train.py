"""`lambda-zoo train`: a recipe in, a run folder out."""

import keras
import numpy as np
import tensorflow as tf

import lambda_keras as lk
from zoo import plots, recipe_file, run_folder, schedules
from zoo.callbacks import MetricsLog, StopOnNonFiniteLoss
from zoo.data import catalog, input_pipeline
from zoo.errors import UserError

MOMENTUM = 0.9


def train(recipe, out, data_dir=None, verbose=1):
    """Trains the recipe's model, evaluates it once on the test split and writes the run folder.

    The folder holds `recipe.yaml`, `metrics.csv`, `model.keras`, `test.npz`, `curves.png` and `predictions.png`.

    Args:
        recipe: A `zoo.recipe.Recipe`.
        out: The folder to write. The files of an earlier run in it are removed.
        data_dir: Folder of prepared data, for datasets of TensorFlow Datasets.
        verbose: Keras' `verbose`: 0 silent, 1 a progress bar, 2 a line an epoch.

    Returns:
        The accuracy on the test split, 0..1.

    Raises:
        UserError: The recipe does not fit the model or the data, the data are missing, the folder cannot be written,
            or the loss is not finite.
    """
    if keras.config.backend() != "tensorflow":
        raise UserError(f"training needs KERAS_BACKEND=tensorflow, got {keras.config.backend()}")
    keras.utils.set_random_seed(recipe.training.seed)
    dataset = catalog.find(recipe.data.name)
    splits = dataset.load(recipe.data.validation_fraction, data_dir)
    images = int(splits.train.cardinality())
    if recipe.training.batch_size > images:
        raise UserError(f"training.batch_size {recipe.training.batch_size} is more than the {images} training images")
    model = build_model(recipe, dataset)
    folder = run_folder.start(out)
    with run_folder.replacing(folder / run_folder.RECIPE) as partial:
        partial.write_text(recipe_file.dump(recipe), encoding="utf-8")

    if verbose:
        _introduce(model, splits, recipe)
    rows = fit(model, splits, dataset, recipe, folder / run_folder.METRICS, verbose)
    with run_folder.replacing(folder / run_folder.MODEL) as partial:
        model.save(partial)
    with run_folder.replacing(folder / run_folder.CURVES) as partial:
        plots.curves(rows, partial)
    return _test(model, splits.test, dataset, recipe, folder, verbose)


def build_model(recipe, dataset):
    """Builds the recipe's model for the dataset's images and classes.

    Raises:
        UserError: The model's name or an override is unknown or does not fit.
    """
    size = recipe.data.image_size
    try:
        return lk.create_model(
            recipe.model.name,
            input_shape=(size, size, dataset.channels),
            classes=len(dataset.class_names),
            **recipe.model.overrides,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"model {recipe.model.name!r}: {error}") from error


def fit(model, splits, dataset, recipe, metrics_path, verbose=1):
    """Trains the model in place.

    Args:
        model: A model from `build_model`. It is not compiled, so that it saves without the state of the training.
        splits: `zoo.data.splits.Splits`; the test part is not touched.
        dataset: The row of `zoo.data.catalog`.
        recipe: A `zoo.recipe.Recipe`.
        metrics_path: The CSV file to write.
        verbose: Keras' `verbose`.

    Returns:
        The rows of the CSV file, see `zoo.callbacks.MetricsLog`.
    """
    training = recipe.training
    steps_per_epoch = int(splits.train.cardinality()) // training.batch_size
    trainable = keras.Model(model.inputs, model.outputs)
    trainable.compile(
        optimizer=build_optimizer(training, steps_per_epoch, trainable.trainable_variables),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing),
        metrics=["accuracy"],
        # XLA makes these models slower on a CPU.
        jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
    )
    log = MetricsLog(metrics_path, steps_per_epoch * training.batch_size)
    sizes = {"image_size": recipe.data.image_size, "batch_size": training.batch_size}
    trainable.fit(
        input_pipeline.training_batches(
            splits.train,
            dataset,
            crop_padding=recipe.data.crop_padding,
            horizontal_flip=recipe.data.horizontal_flip,
            seed=training.seed,
            **sizes,
        ),
        steps_per_epoch=steps_per_epoch,
        epochs=training.epochs,
        validation_data=input_pipeline.evaluation_batches(splits.validation, dataset, **sizes),
        callbacks=[StopOnNonFiniteLoss(), log],
        shuffle=False,  # The stream is shuffled already.
        verbose=verbose,
    )
    return log.rows


def build_optimizer(training, steps_per_epoch, variables):
    """Builds the recipe's optimizer with its schedule.

    Args:
        training: A `zoo.recipe.Training`.
        steps_per_epoch: Steps in an epoch.
        variables: The variables to train. Only kernels decay: not biases, BatchNorm and position tables.
    """
    schedule = schedules.warmup_cosine(
        training.learning_rate,
        warmup_steps=round(training.warmup_epochs * steps_per_epoch),
        total_steps=training.epochs * steps_per_epoch,
    )
    if training.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay)
    else:
        optimizer = keras.optimizers.SGD(
            schedule,
            momentum=MOMENTUM,
            nesterov=training.optimizer == "nesterov",
            weight_decay=training.weight_decay,
        )
    optimizer.exclude_from_weight_decay([variable for variable in variables if variable.name != "kernel"])
    return optimizer


def _introduce(model, splits, recipe):
    counts = (f"{int(split.cardinality())} {name}" for name, split in splits._asdict().items())
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    print(f"{recipe.data.name}: {', '.join(counts)} images")
    print(f"{model.name}: {model.count_params():,} parameters, on {device}", flush=True)


def _test(model, split, dataset, recipe, folder, verbose):
    """Evaluates on the test split, writes the split and a picture of it, and returns the accuracy."""
    images, labels = input_pipeline.arrays(split, recipe.data.image_size)
    batches = input_pipeline.evaluation_batches(
        split, dataset, image_size=recipe.data.image_size, batch_size=recipe.training.batch_size
    )
    probabilities = model.predict(batches, verbose=0)
    predictions = probabilities.argmax(axis=-1)
    with run_folder.replacing(folder / run_folder.TEST_SPLIT) as partial:
        np.savez_compressed(
            partial,
            images=images,
            labels=labels,
            mean=np.array(dataset.mean, "float32"),
            std=np.array(dataset.std, "float32"),
            class_names=np.array(dataset.class_names),
        )
    with run_folder.replacing(folder / run_folder.PREDICTIONS) as partial:
        plots.predictions(images, labels, probabilities, dataset.class_names, partial)
    correct = int((predictions == labels).sum())
    if verbose:
        print(f"Test accuracy {correct / len(labels):.2%}: {correct} of {len(labels)} images that training never saw")
        print(f"Wrote {folder}")
    return correct / len(labels)
