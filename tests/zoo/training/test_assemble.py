import keras
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training import assemble, classification
from lambda_keras.zoo.training.averages import batch_norms
from lambda_keras.zoo.training.classification import Classification

SETTINGS = ["data.image_size=16", "training.batch_size=16", "training.synchronized_batch_norm=true"]


def build(*overrides, is_new=False):
    recipe = recipe_file.load("digits", [*SETTINGS, *overrides])
    dataset = catalog.load(recipe.data)
    return assemble.build_trainer(
        Classification(recipe, dataset), tf.distribute.get_strategy(), tf.Variable(0.0), is_new
    )


@pytest.fixture(scope="module")
def trainer():
    return build("training.precision=mixed_bfloat16")


def test_the_model_fits_the_data(trainer):
    assert trainer.model.input_shape == (None, 16, 16, 1)
    assert trainer.model.output_shape == (None, 10)
    assert trainer.model.layers[-1].activation is keras.activations.linear
    exported = classification.build_model(trainer.task.recipe, trainer.task.dataset)
    assert exported.layers[-1].activation is keras.activations.softmax
    assert [variable.path for variable in exported.variables] == [variable.path for variable in trainer.model.variables]


def test_the_precision_is_that_of_the_recipe_and_of_nothing_else(trainer):
    assert trainer.model.layers[1].dtype_policy.name == "mixed_bfloat16"
    assert trainer.model.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_a_new_training_starts_from_the_recipes_weights(tmp_path, capsys):
    keras.utils.set_random_seed(1)
    other = lk.create_model("lambda_resnet_tiny", input_shape=(16, 16, 3), classes=5)
    other.save_weights(tmp_path / "other.weights.h5")
    overrides = [f"model.weights={tmp_path}/other.weights.h5", "training.ema_decay=0.5"]
    model = build(*overrides, is_new=True).model
    loaded = {variable.path: variable.numpy() for variable in other.weights}
    for variable in model.weights:
        if not variable.path.startswith(("predictions", "stem_conv")):
            np.testing.assert_array_equal(variable, loaded[variable.path], err_msg=variable.path)
    np.testing.assert_allclose(model.get_layer("stem_conv").kernel, loaded["stem_conv/kernel"].sum(2, keepdims=True))
    printed = capsys.readouterr().out
    assert ["stays", "random", "2", "predictions/kernel"] in [line.split() for line in printed.splitlines()]
    resumed = build(*overrides).model
    assert not np.array_equal(resumed.get_layer("c2_block1_conv1").kernel, loaded["c2_block1_conv1/kernel"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.weights=nowhere.safetensors", r"No weights file at 'nowhere\.safetensors'"),
        ("model.weights=imagenet", "lambda_resnet_tiny has no weights 'imagenet'"),
        ("model.warm_start=resnet_rs", "lambda_resnet_tiny has not the stem of ResNet-RS"),
    ],
)
def test_weights_that_cannot_be_had(override, expected):
    with pytest.raises(UserError, match=expected):
        build(override, is_new=True)
    build(override)


def test_the_precision_is_given_back_after_an_error():
    with pytest.raises(UserError, match="lambda_resnet_tny"):
        build("training.precision=mixed_bfloat16", "model.name=lambda_resnet_tny")
    assert keras.config.dtype_policy().name == "float32"


def test_one_replica_keeps_the_fused_batch_norm(trainer):
    layers = batch_norms(trainer.model)
    assert layers
    assert not any(layer.synchronized for layer in layers)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.name=lambda_resnet_tny", "lambda_resnet_tiny"),
        ("model.overrides.key_dm=3", "model 'lambda_resnet_tiny': .*key_dm"),
        ("model.overrides.scope_size=4", "model 'lambda_resnet_tiny': .*scope_size"),
        ("training.batch_size=5000", "batch_size 5000 is more than the 1212 training images"),
    ],
)
def test_a_recipe_that_does_not_fit(override, expected):
    with pytest.raises(UserError, match=expected):
        build(override)


@pytest.mark.parametrize(("batch_size", "steps"), [(1, 1212), (100, 12), (101, 12), (1212, 1)])
def test_steps_in_an_epoch(trainer, batch_size, steps):
    recipe = recipe_file.load("digits", [f"training.batch_size={batch_size}"])
    assert classification.steps_per_epoch(recipe, trainer.task.dataset) == steps


def test_the_stream_of_a_later_step_is_the_rest_of_the_whole_one(trainer):
    whole = list(trainer.stream(0).take(5))
    rest = list(trainer.stream(3).take(2))
    assert whole[0]["image"].shape == (16, 16, 16, 1)
    for batch, expected in zip(rest, whole[3:], strict=True):
        assert batch.keys() == {"image", "target", "valid"}
        for key, value in batch.items():
            np.testing.assert_array_equal(value, expected[key])


def test_the_initial_weights_follow_from_the_seed(trainer):
    keras.utils.set_random_seed(1234)
    same, other = build("training.seed=0"), build("training.seed=1")
    for weight, expected in zip(same.weights, trainer.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy())
    assert (other.weights[0].numpy() != trainer.weights[0].numpy()).any()
