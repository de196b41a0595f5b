"""Times LambdaResNets beside the EfficientNets that reach about the same accuracy on ImageNet in the paper.

    python -m benchmarks.pairs

writes results/pairs.csv: seconds of a training step and of an inference, float32, by turns, in `tf.function` without
XLA. The step is forward, gradient and stochastic gradient descent with momentum. The paper's ratios are those of a TPU.
"""

import gc

import keras
import numpy as np
import tensorflow as tf

import lambda_keras as lk
from benchmarks.timing import interleaved_medians, write_csv

# Ours and its image size, the other and its image size.
PAIRS = (("lambda_resnet50", 160, "EfficientNetB1", 240), ("lambda_resnet101", 192, "EfficientNetB3", 300))
BATCH = 8


def build(name, image_size):
    """A model with random weights that returns logits."""
    shape = (image_size, image_size, 3)
    if name in vars(keras.applications):
        return vars(keras.applications)[name](weights=None, input_shape=shape, classifier_activation=None)
    return lk.create_model(name, input_shape=shape, classifier_activation=None)


def images_for(model):
    """A batch of normal numbers."""
    return tf.constant(np.random.default_rng(0).normal(size=(BATCH, *model.input_shape[1:])), "float32")


def training_step(model):
    """A function without arguments that trains one step."""
    images, labels = images_for(model), tf.range(BATCH)
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    optimizer.build(model.trainable_variables)
    weights = [variable.value for variable in model.trainable_variables]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, weights), model.trainable_variables)
        return loss

    return lambda: step().numpy()


def inference(model):
    """A function without arguments that classifies a batch."""
    images = images_for(model)
    function = tf.function(lambda: model(images, training=False))
    return lambda: function().numpy()


def measure(name, image_size, other, other_size):
    """Rows of a pair, one for each mode."""
    ours, theirs = build(name, image_size), build(other, other_size)
    functions = {
        "training": {name: training_step(ours), other: training_step(theirs)},
        "inference": {name: inference(ours), other: inference(theirs)},
        "inference, both fused": {name: inference(lk.fuse(ours)), other: inference(lk.fuse(theirs))},
    }
    for mode, pair in functions.items():
        seconds = interleaved_medians(pair, rounds=9)
        yield {
            "model": name,
            "image_size": image_size,
            "other": other,
            "other_image_size": other_size,
            "mode": mode,
            "batch": BATCH,
            "seconds": f"{seconds[name]:.4f}",
            "other_seconds": f"{seconds[other]:.4f}",
            "ratio": f"{seconds[other] / seconds[name]:.2f}",
        }


def main():
    """Measures, prints, writes."""
    rows = []
    for pair in PAIRS:
        for row in measure(*pair):
            rows.append(row)
            print(*row.values(), sep="\t", flush=True)
        gc.collect()
    write_csv("pairs", rows)


if __name__ == "__main__":
    main()
