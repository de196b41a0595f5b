import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.zoo.training.position_images import position_table_images

BLUE, WHITE, RED = (5, 48, 97), (247, 247, 247), (103, 0, 31)  # ends and middle of ColorBrewer's RdBu
BLACK = (0, 0, 0)


def model_of(layers):
    x = inputs = keras.Input((4, 4, 8))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def test_a_hand_made_table():
    layer = lk.layers.LambdaLayer(num_heads=2, key_dim=2, intra_depth=2, scope_size=(1, 3), name="one")
    model = model_of([layer])
    table = np.zeros((1, 3, 2, 2), "float32")
    table[0, 0, 0, 0] = -2
    table[0, 2, 1, 0] = 2
    table[0, 1, 0, 1] = 1
    layer.position_embedding.table.assign(table)
    images = position_table_images(model)
    assert list(images) == ["one"]
    assert images["one"].dtype == np.uint8
    (picture,) = images["one"]
    # One row of tiles for each intra-depth, a tile for each key depth, black lines between.
    assert picture.shape == (3, 7, 3)
    np.testing.assert_allclose(picture[0], [BLUE, WHITE, WHITE, BLACK, WHITE, WHITE, RED], atol=1)
    assert (picture[1] == 0).all()
    half_red = picture[2, 1].astype(int)
    assert half_red[0] > half_red[2], "half of the largest is a lighter red"
    np.testing.assert_allclose(picture[2, [0, 2, 4, 5, 6]], [WHITE] * 5, atol=1)


def test_tables_are_not_flipped_or_mixed_up():
    layer = lk.layers.LambdaLayer(num_heads=2, key_dim=2, scope_size=3)
    model = model_of([layer])
    table = np.zeros((3, 3, 2, 1), "float32")
    table[0, 2, 1, 0] = 1  # Row 0, column 2 of the second key depth.
    layer.position_embedding.table.assign(table)
    ((picture,),) = position_table_images(model).values()
    assert np.argwhere((picture == RED).all(-1)).tolist() == [[0, 4 + 2]]


def test_zeros_are_white():
    layer = lk.layers.LambdaLayer(num_heads=2, key_dim=1, scope_size=3)
    model = model_of([layer])
    layer.position_embedding.table.assign(np.zeros((3, 3, 1, 1)))
    ((picture,),) = position_table_images(model).values()
    np.testing.assert_allclose(picture, np.broadcast_to(WHITE, (3, 3, 3)), atol=1)


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (4, [0, 2, 3]), (7, [0, 3, 6])])
def test_first_middle_and_last_layer(count, expected):
    model = model_of([lk.layers.LambdaLayer(num_heads=2, key_dim=2, scope_size=3, name=f"{i}") for i in range(count)])
    assert list(position_table_images(model)) == [str(index) for index in expected]


def test_layers_without_a_table_do_not_count():
    content = lk.layers.LambdaLayer(num_heads=2, key_dim=2, use_position=False)
    assert position_table_images(model_of([content, keras.layers.Dense(8)])) == {}


def test_tensorboard_takes_them(tmp_path):
    import tensorflow as tf

    model = lk.create_model("lambda_resnet_tiny")
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for name, image in position_table_images(model).items():
            assert tf.summary.image(name, image, step=0)
