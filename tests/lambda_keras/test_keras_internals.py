"""The attributes without a public name are there, and mean what the library takes them to mean."""

import keras
import numpy as np

from lambda_keras import keras_internals


def test_the_private_attributes_of_keras_are_there():
    tokens = keras.Input((6,))
    embedding, dense = keras.layers.Embedding(10, 8, mask_zero=True), keras.layers.Dense(3, name="dense")
    embedded = embedding(tokens)
    assert keras_internals.padding_mask(embedded) is not None
    assert keras_internals.padding_mask(tokens) is None
    assert keras_internals.producer(embedded) is embedding
    assert keras_internals.node_of(embedded).output_tensors == [embedded]

    outputs = dense(embedded, training=False)
    model = keras.Model(tokens, outputs)
    dense(embedded)  # a call that is not in the model
    nodes = list(keras_internals.nodes(model))
    assert [node.operation for node in nodes if not node.is_input] == [dense, embedding]
    node = nodes[0]
    assert [node.input_tensors[0], node.output_tensors[0]] == [embedded, outputs]
    assert [*node.arguments.args, node.arguments.kwargs["training"]] == [embedded, False]
    assert keras_internals.call_arguments(node, {id(embedded): 1}) == ((1,), {"training": False})

    outer = keras.Sequential([model])
    assert set(keras_internals.sublayers(outer)) >= {outer, model, embedding, dense}
    assert keras_internals.padding_mask(np.zeros(3)) is None


def test_a_flat_model_has_the_layers_of_the_models_inside_it():
    x = keras.Input((4,))
    dense = keras.layers.Dense(3, name="dense")
    maps = keras.Model(x, {"b": dense(x), "a": x + 1}, name="maps")
    twice = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(2.0, name="double")])
    trained = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(1.0)], name="trained")
    found = maps(x, training=False)
    model = keras.Model([x], [twice(twice(found["b"])), trained(found["b"], training=True), found["a"]])
    flat = keras_internals.flat(model)
    names = [node.operation.name for node in keras_internals.nodes(flat)]
    assert (names.count("dense"), names.count("double"), names.count("trained")) == (1, 2, 1)
    assert keras_internals.flat(flat).operations == flat.operations
    batch = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    for output, expected in zip(flat([batch]), model([batch]), strict=True):
        np.testing.assert_array_equal(output, expected)
    # The model itself is as it was.
    restored = keras.Model.from_config(model.get_config())
    assert [layer.name for layer in restored.layers] == [layer.name for layer in model.layers]
