"""Tensors onto variables: complete, or nothing."""

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.weights import WeightsError
from lambda_keras.weights.assignment import assign, variables_by_name
from tests.lambda_keras.weights.conftest import TINY, values


def test_names_outlive_saving_and_cloning(model, tmp_path):
    model.save(tmp_path / "model.keras")
    names = list(variables_by_name(model))
    assert "c4_block2_lambda/query_projection/kernel" in names
    assert len(names) == len(model.weights)
    for other in (keras.models.load_model(tmp_path / "model.keras"), keras.models.clone_model(model)):
        assert list(variables_by_name(other)) == names


def test_two_variables_of_one_name_are_an_error():
    class Careless(keras.layers.Layer):
        def build(self, shape):
            self.both = [self.add_weight(name="kernel", shape=shape[1:]) for _ in range(2)]

        def call(self, x):
            return x * self.both[0] + self.both[1]

    x = keras.Input((4,))
    with pytest.raises(WeightsError, match="two variables named 'twice/kernel'"):
        variables_by_name(keras.Model(x, Careless(name="twice")(x)))


def test_fills_every_variable(model, author):
    report = assign(model, values(author), "author")
    assert report.is_exact
    assert report.loaded == tuple(values(author))
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, values(author)[name])


def test_only_what_is_named_may_stay(model, author):
    tensors = values(author)
    random = {name: values(model)[name] for name in ("predictions/kernel", "predictions/bias")}
    for name in random:
        del tensors[name]
    report = assign(model, tensors, "author", adapted={"stem_conv/kernel": "summed"}, random=random, unused=("head",))
    assert (report.random, report.adapted, report.unused) == (tuple(random), {"stem_conv/kernel": "summed"}, ("head",))
    assert len(report.loaded) == len(tensors) - 1
    for name, value in random.items():
        np.testing.assert_array_equal(values(model)[name], value)


def without(*names):
    return lambda tensors: [tensors.pop(name) for name in names]


def reshaped(name, shape):
    return lambda tensors: tensors.update({name: np.zeros(shape, "float32")})


# What is changed, and what the message says of it.
OFFERS = {
    "one is missing": (without("c5_block1_lambda/key_projection/kernel"), "nothing for c5_block1_lambda/key_proj"),
    "one too many": (reshaped("c6_block1_conv1_conv/kernel", (1, 2)), r"c6_block1_conv1_conv/kernel \[1, 2\] fits no"),
    "shape": (reshaped("c2_block1_conv1/kernel", (1, 1, 3, 8)), r"shape \[1, 1, 3, 8\], the model's has \[1, 1, "),
    "transposed": (reshaped("c5_block1_lambda/key_projection/kernel", (16, 32)), "the model's has"),
    "quantised": (lambda tensors: tensors.update({"stem_bn/beta": np.zeros(16, "int8")}), "of a quantised model.*"),
    "integers": (lambda tensors: tensors.update({"stem_bn/beta": np.zeros(16, "int64")}), "holds int64"),
    "classes": (reshaped("predictions/kernel", (128, 7)), "another number of classes"),
    "no classifier": (without("predictions/kernel", "predictions/bias"), 'no classifier.*fit="adapt"'),
    "scope": (reshaped("c5_block1_lambda/position_embedding/table", (9, 9, 16, 1)), 'global scope.*fit="adapt"'),
    "channels": (reshaped("stem_conv/kernel", (3, 3, 1, 16)), "other channels"),
    "other names": (lambda t: [t.update({f"x/{n}": t.pop(n)}) for n in list(t)], "No name is known.*"),
    "nothing": (dict.clear, "and 111 more"),
}


@pytest.mark.parametrize(("change", "message"), OFFERS.values(), ids=OFFERS)
def test_what_does_not_fit_changes_nothing(model, author, change, message):
    before, tensors = values(model), values(author)
    change(tensors)
    with pytest.raises(WeightsError, match=rf"author\.h5 does not fit {TINY}: .*{message}"):
        assign(model, tensors, "author.h5")
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "infinite or not a number"), (-np.inf, "infinite or"), (1e300, "too large for float32")],
)
def test_values_that_are_not_finite_are_refused_by_name_unless_asked_for(model, author, value, problem):
    before, tensors = values(model), values(author)
    tensors["stem_bn/beta"] = tensors["stem_bn/beta"].astype("float64")
    tensors["stem_bn/beta"][3] = value
    with pytest.raises(WeightsError, match=rf"author\.h5 .*{problem}.* in 1 of 116 tensors, the first is stem_bn/beta"):
        assign(model, tensors, "author.h5")
    np.testing.assert_array_equal(values(model)["stem_bn/beta"], before["stem_bn/beta"])
    assign(model, tensors, "author.h5", allow_non_finite=True)
    assert not np.isfinite(values(model)["stem_bn/beta"][3])


def test_another_model_is_refused(model):
    other = lk.create_model("mobilenet_v2", input_shape=(32, 32, 3))
    with pytest.raises(WeightsError, match=r"more\. It is the file of another model|more\. No name is known"):
        assign(model, values(other), "mobilenet_v2")
