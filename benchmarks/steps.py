"""What is timed of a layer or a network, on whichever backend of Keras runs: functions without arguments.

Each returns what it computed, when the device has done all of its work. TensorFlow runs a `tf.function` without XLA,
jax compiles with XLA, and torch is eager, as Keras has it on each of them.
"""

import keras

from benchmarks import backends


def inference(layer, inputs):
    """Calls a built layer or network on a tensor."""
    if backends.BACKEND == "jax":
        weights, states = _values(layer)

        def call(weights, states, inputs):
            return layer.stateless_call(weights, states, inputs, training=False)[0]

        function = backends.forward(call)
        return lambda: backends.wait(function(weights, states, inputs))
    function = backends.forward(lambda inputs: layer(inputs, training=False))
    return lambda: backends.wait(function(inputs))


def gradients(layer, inputs):
    """Calls a built layer in training; returns the gradients of the sum of its outputs for inputs and each weight."""
    run = {"tensorflow": _gradients_in_tensorflow, "jax": _gradients_in_jax, "torch": _gradients_in_torch}
    return run[backends.BACKEND](layer, inputs)


def training_step(model, images, labels):
    """Trains a network one step, by stochastic gradient descent with momentum; returns the loss before it.

    Args:
        model: A built network that returns logits.
        images: A tensor of images.
        labels: A tensor of their classes.
    """
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    optimizer.build(model.trainable_variables)
    run = {"tensorflow": _trains_in_tensorflow, "jax": _trains_in_jax, "torch": _trains_in_torch}
    return run[backends.BACKEND](model, images, labels, optimizer)


def _values(layer):
    """Tensors of what is trained and of the other variables."""
    return (
        [variable.value for variable in layer.trainable_variables],
        [variable.value for variable in layer.non_trainable_variables],
    )


def _mean_loss(labels, logits):
    return keras.ops.mean(keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def _gradients_in_tensorflow(layer, inputs):
    import tensorflow as tf

    weights, _ = _values(layer)

    @tf.function
    def function(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(layer(inputs, training=True))
        # What is gathered has a sparse gradient.
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(total, [inputs, *weights])]

    return lambda: backends.wait(function(inputs))


def _gradients_in_jax(layer, inputs):
    import jax

    weights, states = _values(layer)

    def total(inputs, weights, states):
        outputs, states = layer.stateless_call(weights, states, inputs, training=True)
        return outputs.sum(), states

    function = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))

    def run():
        (of_inputs, of_weights), _ = backends.wait(function(inputs, weights, states))
        return [of_inputs, *of_weights]

    return run


def _gradients_in_torch(layer, inputs):
    import torch

    weights, _ = _values(layer)
    inputs = inputs.detach().requires_grad_()

    def run():
        return backends.wait(torch.autograd.grad(layer(inputs, training=True).sum(), [inputs, *weights]))

    return run


def _trains_in_tensorflow(model, images, labels, optimizer):
    import tensorflow as tf

    weights, _ = _values(model)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, weights), model.trainable_variables)
        return loss

    return lambda: backends.wait(step())


def _trains_in_jax(model, images, labels, optimizer):
    import jax

    def loss_and_states(weights, states, images, labels):
        logits, states = model.stateless_call(weights, states, images, training=True)
        return _mean_loss(labels, logits), states

    @jax.jit
    def step(weights, states, slots, images, labels):
        differentiate = jax.value_and_grad(loss_and_states, has_aux=True)
        (loss, states), gradients = differentiate(weights, states, images, labels)
        weights, slots = optimizer.stateless_apply(slots, gradients, weights)
        return loss, (weights, states, slots)

    # The variables keep the values that they have: other functions of the same model start from those.
    trained = (*_values(model), [variable.value for variable in optimizer.variables])

    def run():
        nonlocal trained
        loss, trained = step(*trained, images, labels)
        return backends.wait((loss, trained))[0]

    return run


def _trains_in_torch(model, images, labels, optimizer):
    import torch

    def run():
        model.zero_grad()
        loss = _mean_loss(labels, model(images, training=True))
        loss.backward()
        with torch.no_grad():
            optimizer.apply([variable.value.grad for variable in model.trainable_variables], model.trainable_variables)
        return backends.wait(loss.detach())

    return run
