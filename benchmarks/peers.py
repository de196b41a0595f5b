"""Times the lambda layer against two in torch, lucidrains' and timm's, and against the paper's order in TensorFlow.

    python -m benchmarks.peers

needs the `backends` extra and writes results/peers.csv. A whole layer (projections, normalisation, contraction),
float32, batch 8, on the CPU; each framework with its own threads, eager in torch, `tf.function` without XLA here.
"""

import numpy as np
import tensorflow as tf
import torch
from lambda_networks import LambdaLayer as LucidrainsLambdaLayer

from benchmarks.timing import interleaved_medians, write_csv
from lambda_keras.layers import LambdaLayer
from lambda_keras.layers.contraction_plan import Plan
from tests.golden.without_torchvision import import_timm

TimmLambdaLayer = import_timm().layers.lambda_layer.LambdaLayer
BATCH = 8
# side of the map and channels, as in stages c5 and c4 at 224 pixels
SHAPES = ((7, 512), (14, 256))
SCOPES = (None, 23)


def keras_step(layer, images, training):
    """A function without arguments that runs the layer, with gradients if it trains."""

    @tf.function
    def forward(x):
        return layer(x, training=False)

    @tf.function
    def forward_and_backward(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True))
        return tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])

    layer.build(images.shape)
    images = tf.constant(images)
    function = forward_and_backward if training else forward
    return lambda: [tensor.numpy() for tensor in tf.nest.flatten(function(images))]


def torch_step(layer, images, training):
    """The same for a torch layer."""
    images = torch.tensor(images.transpose(0, 3, 1, 2).copy(), requires_grad=training)
    layer.train(training)

    def run():
        if training:
            layer.zero_grad()
            layer(images).sum().backward()
        else:
            with torch.inference_mode():
                layer(images)

    return run


def main():
    """Measures, prints, writes."""
    rows = []
    for side, channels in SHAPES:
        images = np.random.default_rng(0).normal(size=(BATCH, side, side, channels)).astype("float32")
        for scope in SCOPES:
            for training in (False, True):
                lucidrains = LucidrainsLambdaLayer(
                    channels, dim_k=16, heads=4, **({"r": scope} if scope else {"n": side})
                )
                timm = TimmLambdaLayer(channels, dim_head=16, num_heads=4, r=scope, feat_size=(side, side))
                paper = LambdaLayer(scope_size=scope)
                paper.plan = lambda *_, **__: Plan("lambda_first")  # all queries at once
                seconds = interleaved_medians(
                    {
                        "lambda_keras": keras_step(LambdaLayer(scope_size=scope), images, training),
                        "paper's order in TensorFlow": keras_step(paper, images, training),
                        "lucidrains, torch": torch_step(lucidrains, images, training),
                        "timm, torch": torch_step(timm, images, training),
                    },
                    rounds=15,
                )
                for name, value in seconds.items():
                    row = {
                        "side": side,
                        "channels": channels,
                        "scope_size": scope or "global",
                        "mode": "training" if training else "inference",
                        "implementation": name,
                        "seconds": f"{value:.5f}",
                        "ratio_to_ours": f"{value / seconds['lambda_keras']:.2f}",
                    }
                    rows.append(row)
                    print(*row.values(), sep="\t", flush=True)
    write_csv("peers", rows)


if __name__ == "__main__":
    main()
