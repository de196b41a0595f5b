"""The attributes without a public name are there, and mean what the library takes them to mean."""

import h5py
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


def test_the_copies_of_clone_model_are_those_of_the_layers_before():
    layers = [keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")]
    found = []

    def copy(layer):
        found.append(dict(keras_internals.copies_of_clone_model()))
        return type(layer).from_config(layer.get_config())

    assert keras_internals.copies_of_clone_model() is None
    clone = keras.models.clone_model(keras.Sequential([keras.Input((3,)), *layers]), clone_function=copy)
    assert found == [{}, {id(layers[0]): clone.layers[0]}]
    assert keras_internals.copies_of_clone_model() is None


def test_the_weights_in_memory_are_those_of_save_weights(tmp_path):
    model, other = (
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)]) for _ in range(2)
    )
    (tmp_path / "a.weights.h5").write_bytes(keras_internals.weights_h5(model))
    other.load_weights(tmp_path / "a.weights.h5")
    for value, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)
    model.save_weights(tmp_path / "b.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5") as ours, h5py.File(tmp_path / "b.weights.h5") as theirs:
        names = [[], []]
        ours.visit(names[0].append)
        theirs.visit(names[1].append)
    assert names[0] == names[1]


def test_the_moving_averages_of_an_optimizer_are_those_of_its_variables():
    weight = keras.Variable([1.0, 2.0])
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=None)
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor([0.0, 4.0])])
    (average,) = keras_internals.moving_averages(optimizer)
    np.testing.assert_allclose(weight, [1, -2])
    assert average.shape == weight.shape
    optimizer.finalize_variable_values([weight])
    np.testing.assert_array_equal(weight, average)


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


def test_keras_asks_for_the_moments_of_a_batch():
    class Layer(keras_internals.MomentsOfBatch):
        def moments(self, inputs, axes, mask):
            asked.append([*axes])
            return super().moments(inputs, axes, mask)

    asked, layer = [], Layer()
    inputs = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    outputs = layer(inputs, training=True)
    assert asked == [[0, 1]]
    np.testing.assert_array_equal(outputs, keras.layers.BatchNormalization()(inputs, training=True))
    layer(inputs, training=False)
    assert len(asked) == 1
