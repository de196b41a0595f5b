"""Times the lambda layer against two in torch, lucidrains' and timm's, and against the paper's listing in TensorFlow.

    python -m benchmarks.peers            the maps of a ResNet at 224 pixels, batch 1 and 8, torch as it is
    python -m benchmarks.peers --short    of these, batch 1 alone
    python -m benchmarks.peers --full     every map and batch, and torch.compile of both peers: hours

needs the `backends` extra and writes results/peers.csv. Four layers after one another, each with weights of its own, as
a model calls them: a call of a function costs as much as the smallest of these layers, and no model pays it for each. A
whole layer (projections, normalisation, contraction), float32, on the CPU; each framework with its own threads, torch
eager or compiled, `tf.function` without XLA here.
"""

import math

import numpy as np
import tensorflow as tf
import torch

from benchmarks import peers_here, torch_layers
from benchmarks.grid import LARGEST_GLOBAL, cells, rows_of_cell
from benchmarks.paper_layer import PaperLayer
from benchmarks.timing import interleaved_medians, options, write_csv
from lambda_keras.layers import FusedLambdaLayer, LambdaLayer

OURS, LAYERS = "lambda_keras", 4


def keras_step(layers, images, training):
    """A function without arguments that runs layers after one another, with gradients if they train."""

    @tf.function
    def forward(x):
        for layer in layers:
            x = layer(x, training=False)
        return x

    @tf.function
    def forward_and_backward(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for layer in layers:
                y = layer(y, training=True)
            loss = tf.reduce_sum(y)
        weights = [variable.value for layer in layers for variable in layer.trainable_variables]
        # What is gathered has a sparse gradient.
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, [x, *weights])]

    for layer in layers:
        if not layer.built:
            layer.build(images.shape)
    images = tf.constant(images)
    function = (forward_and_backward if training else forward).get_concrete_function(images)
    return lambda: [tensor.numpy() for tensor in tf.nest.flatten(function(images))]


def fused(layer, shape):
    """What `lk.fuse` makes of a layer."""
    layer.build(shape)
    twin = FusedLambdaLayer.from_config(FusedLambdaLayer.config_of(layer, shape))
    twin.build(shape)
    twin.copy_weights(layer)
    return twin


def steps(grid, channels, batch, scope, training, compiled=False):
    """By the name of each implementation what makes its step: a function without arguments that returns another."""
    images = np.random.default_rng(0).normal(size=(batch, *grid, channels)).astype("float32")

    def of_keras(make):
        return lambda: keras_step([make() for _ in range(LAYERS)], images, training)

    makers = {OURS: of_keras(lambda: LambdaLayer(scope_size=scope))}
    if not training:
        makers["lambda_keras, fused"] = of_keras(lambda: fused(LambdaLayer(scope_size=scope), images.shape))
    if math.prod(grid) <= LARGEST_GLOBAL:
        makers["the paper's einsum, TensorFlow"] = of_keras(lambda: PaperLayer(scope))
    peers = torch_layers.PACKAGES
    return makers | peers_here.step_makers(peers, grid, channels, batch, scope, training, compiled, LAYERS)


def measure(*cell, compiled, short):
    """Median seconds of one layer of each implementation."""
    made = {name: make() for name, make in steps(*cell, compiled=compiled).items()}
    seconds = interleaved_medians(made, rounds=11, settle=True, short=short)
    return {name: value / LAYERS for name, value in seconds.items()}


def main():
    """Measures, prints, writes."""
    parser = options(__doc__)
    parser.add_argument("--full", action="store_true", help="every map and batch, and torch.compile of both peers")
    arguments = parser.parse_args()
    full, short = arguments.full, arguments.short
    rows = []
    for grid, channels, batch, scope in cells(full):
        if short and batch > 1:
            continue
        for training in (False, True):
            seconds = measure(grid, channels, batch, scope, training, compiled=full, short=short)
            rows += rows_of_cell(grid, channels, batch, scope, training, ("seconds", "{:.6f}"), seconds, OURS)
            if full:
                torch.compiler.reset()
    write_csv("peers", rows, short=short)


if __name__ == "__main__":
    main()
