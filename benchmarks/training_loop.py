"""What the training loop costs: images a second of the trainer against a bare step on the same model and data.

    python -m benchmarks.training_loop

The trainer is that of `lambda-zoo train` with Orbit's controller, a progress report, TensorBoard and the check of the
loss. The bare side is a `tf.function` with a gradient tape and `optimizer.apply`, called once for each batch of the
same stream of images. Neither saves checkpoints.
"""

import contextlib
import io
import tempfile

import keras
import orbit
import tensorflow as tf

import lambda_keras as lk
from benchmarks.timing import interleaved_medians, options, write_csv
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.training import assemble
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.preemption import StopFlag

# Model, image size, batch size and steps in a measurement.
CASES = (("lambda_resnet_tiny", 32, 64, 20), ("lambda_resnet50", 128, 8, 4))


def main():
    """Measures all cases, in the short form the first, and writes results/training_loop.csv."""
    short = options(__doc__).parse_args().short
    rows = []
    for model, image_size, batch_size, steps in CASES[:1] if short else CASES:
        recipe = recipe_file.load(
            "digits",
            [f"model.name={model}", f"data.image_size={image_size}", f"training.batch_size={batch_size}"],
        )
        dataset = catalog.load(recipe.data)
        with tempfile.TemporaryDirectory() as folder:
            seconds = interleaved_medians(
                {
                    "bare": bare_steps(recipe, dataset, steps),
                    "trainer": trainer_steps(recipe, dataset, steps, folder),
                },
                rounds=15,
                short=short,
            )
        rates = {name: batch_size * steps / value for name, value in seconds.items()}
        rows.append(
            {
                "model": model,
                "image_size": image_size,
                "batch_size": batch_size,
                "bare_images_per_second": f"{rates['bare']:.4g}",
                "trainer_images_per_second": f"{rates['trainer']:.4g}",
                "ratio": f"{rates['trainer'] / rates['bare']:.3f}",
            }
        )
        print(rows[-1], flush=True)
    write_csv("training_loop", rows, short=short)


def trainer_steps(recipe, dataset, steps, folder):
    """A function that trains some steps with the trainer, as `lambda-zoo train` does."""
    strategy = tf.distribute.get_strategy()
    trainer = assemble.build_trainer(Classification(recipe, dataset), strategy, StopFlag().raised)
    trainer.train_dataset = trainer.stream(0)
    with contextlib.redirect_stdout(io.StringIO()):
        controller = orbit.Controller(
            global_step=trainer.step, trainer=trainer, strategy=strategy, steps_per_loop=steps, summary_dir=folder
        )

    def run():
        with contextlib.redirect_stdout(io.StringIO()):
            controller.train(int(trainer.step.numpy()) + steps)

    return run


def bare_steps(recipe, dataset, steps):
    """A function that trains some steps with nothing but a `tf.function`."""
    trainer = assemble.build_trainer(Classification(recipe, dataset), tf.distribute.get_strategy(), StopFlag().raised)
    model, optimizer = trainer.model, trainer.optimizer
    batches = iter(trainer.stream(0))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.training.label_smoothing)
    weights = [variable.value for variable in model.trainable_variables]

    @tf.function
    def step(batch):
        images = lk.preprocess_input(batch["image"], mean=dataset.mean, std=dataset.std)
        with tf.GradientTape() as tape:
            value = loss(batch["target"], model(images, training=True))
        optimizer.apply(tape.gradient(value, weights), model.trainable_variables)
        return value

    def run():
        for _ in range(steps):
            value = step(next(batches))
        return float(value)

    return run


if __name__ == "__main__":
    main()
