import keras
import numpy as np

from lambda_keras.export.saved_model.joined_vectors import join_vectors


def test_the_numbers_are_the_same_and_come_of_the_joined_variable(model, images):
    run, variables = join_vectors(lambda images: model(images, training=False), model.variables)
    np.testing.assert_array_equal(run(images), model(images, training=False))
    vectors = [variable.numpy() for variable in model.variables if len(variable.shape) == 1]
    np.testing.assert_array_equal(variables[0], [np.concatenate(vectors)])
    assert len(variables) == len(model.variables) - len(vectors) + 1
    variables[0].assign(np.zeros_like(variables[0]))
    np.testing.assert_allclose(run(images), np.full((8, 10), 0.1), atol=1e-6)


def test_variables_of_other_kinds_stay():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, dtype="float64")(inputs))
    run, variables = join_vectors(model, model.variables)
    assert run is model
    assert [variable is own.value for variable, own in zip(variables, model.variables, strict=True)] == [True, True]
