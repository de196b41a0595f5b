import types

import keras
import pytest
import tensorflow as tf

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.monitoring import Monitoring


@pytest.mark.parametrize(("step", "end"), [(0, ""), (19, "Resuming from the checkpoint of step 19 (epoch 0.50)\n")])
def test_the_beginning_tells_data_model_devices_and_where_it_starts(step, end, tmp_path, capsys):
    recipe = recipe_file.load("digits", ["data.image_size=8"])
    head = keras.layers.Dense(10, activation="softmax")
    trainer = types.SimpleNamespace(
        task=Classification(recipe, catalog.load(recipe.data)),
        training=recipe.training,
        model=keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), head], name="one_layer"),
        strategy=tf.distribute.get_strategy(),
        step=tf.Variable(step),
    )
    Monitoring(trainer, tmp_path, verbose=True).introduce()
    assert capsys.readouterr().out == (
        f"digits: 1212 train, 135 validation, 450 test images\none_layer: 650 parameters, on 1 CPU\n{end}"
    )
    Monitoring(trainer, tmp_path, verbose=False).introduce()
    assert capsys.readouterr().out == ""
