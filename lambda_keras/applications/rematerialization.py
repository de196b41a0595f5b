"""Blocks that are computed again in the gradient instead of kept: less memory for training, more time, same numbers."""

import typing

import keras

from lambda_keras.applications.resnet import STAGES, ResNetConfig


def rematerialize(model: keras.Model, config: ResNetConfig) -> None:
    """Makes the training calls of a model keep the inputs of its blocks alone.

    What is inside a block is computed a second time when the gradient needs it, with the same dropout, and without a
    second update of moving statistics. The model stays the graph that it is: its layers, names and files know nothing
    of this, and neither do copies of it.

    Args:
        model: A ResNet of this package: a functional `keras.Model`, on TensorFlow.
        config: Its configuration.

    Raises:
        ValueError: Another backend runs.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"remat='blocks' is for the backend TensorFlow. Received: the backend {keras.backend.backend()}"
        )
    names = [
        f"{stage}_block{n}" for stage, count in zip(STAGES, config.blocks, strict=True) for n in range(1, count + 1)
    ]
    ends = [model.get_layer(f"{name}_{config.activation}").output for name in names]
    starts = [model.get_layer(f"{names[0]}_conv1").input, *ends[:-1]]
    before = keras.Model(model.input, starts[0])
    blocks = [keras.Model(start, end) for start, end in zip(starts, ends, strict=True)]
    places = {id(end): place for place, end in enumerate(ends)}
    # The maps of the stages, or what is made of the last one.
    outputs, are_ends = model.output, all(id(output) in places for output in model.outputs)
    after = None if are_ends else keras.Model(ends[-1], outputs)
    whole = model.call

    def call(inputs: typing.Any, training: bool | None = None, mask: typing.Any = None) -> typing.Any:
        if not training:
            return whole(inputs, training=training, mask=mask)
        x, maps = before(inputs, training=True), []
        for block in blocks:
            x = _call_again_in_gradient(block, x)
            maps.append(x)
        if after is not None:
            return after(x, training=True)
        return keras.tree.map_structure(lambda output: maps[places[id(output)]], outputs)

    model.call = call


def _call_again_in_gradient(block, x):
    """What a block returns in training; for the gradient it is called again."""
    weights = {id(weight) for weight in block.weights}
    # Of dropout: the numbers that it draws next.
    states = [(state, state.value * 1) for state in block.variables if id(state) not in weights]
    calls = 0

    def run(x):
        nonlocal calls
        calls += 1
        if calls == 1:
            return block(x, training=True)
        # It draws the same numbers; what it assigns to variables is left in the scope.
        with keras.StatelessScope(state_mapping=states):
            return block(x, training=True)

    return keras.remat(run)(x)
