"""RandAugment against official's. Tracing both layers of all operations takes about 5 seconds, so it is done once."""

import numpy as np
import pytest
import tensorflow as tf
from official.vision.ops import augment

from lambda_keras.zoo.data.augmentation import rand_augment

IMAGE = tf.constant(np.random.default_rng(0).integers(0, 256, (40, 60, 3), "uint8"))
NAMES = augment.RandAugment().available_ops


def official(name, magnitude, sign, monkeypatch):
    """What official's operation makes of the image, with its drawn sign replaced by ours."""
    monkeypatch.setattr(augment, "_randomly_negate_tensor", lambda level: sign * level)
    function, _, arguments = augment._parse_policy_info(name, 1.0, float(magnitude), [128] * 3, 40.0, 100.0)
    return function(IMAGE, None, *arguments)[0]


def test_the_operations_are_officials_in_its_order():
    assert list(rand_augment.operations(10)) == NAMES


@pytest.mark.parametrize("magnitude", [0, 4, 9, 10, 15, 20])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "Cutout"])
def test_levels_and_results_are_officials(name, magnitude, monkeypatch):
    for sign in (-1.0, 1.0):
        ours = rand_augment.operations(magnitude)[name](IMAGE, sign, tf.constant([0.5, 0.5]))
        assert ours.dtype == tf.uint8
        np.testing.assert_array_equal(ours, official(name, magnitude, sign, monkeypatch))


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0, 0), (0.99, 0.3)])
def test_cutout_is_officials_with_our_centre(centre):
    row, column = int(centre[0] * 40), int(centre[1] * 60)
    ours = rand_augment.operations(3)["Cutout"](IMAGE, 1.0, tf.constant(centre, tf.float32))
    np.testing.assert_array_equal(ours, augment._fill_rectangle(IMAGE, column, row, 12, 12, 128))


def test_beyond_magnitude_20_posterize_removes_nothing():
    # Official's would shift by a negative number of bits.
    np.testing.assert_array_equal(rand_augment.operations(30)["Posterize"](IMAGE, 1.0, None), IMAGE)


def test_each_operation_and_none_are_drawn_equally_often():
    def mark(number):
        return lambda image, sign, centre: tf.stack([number, sign, *tf.unstack(centre)])

    choices = {str(number): mark(float(number)) for number in range(3)}
    none = tf.fill([4], -1.0)
    stream = tf.data.Dataset.range(2000).map(lambda number: rand_augment._one_of(choices, none, [0, number]))
    drawn = np.array(list(stream.as_numpy_iterator()))
    assert (np.abs(np.bincount(drawn[:, 0].astype(int) + 1) - 500) < 100).all(), "five standard deviations"
    some = drawn[drawn[:, 0] >= 0]
    assert set(some[:, 1]) == {-1.0, 1.0}
    assert np.abs(some[:, 1].mean()) < 0.13
    assert np.abs(some[:, 2:].mean(axis=0) - 0.5).max() < 0.05
    assert some[:, 2:].min() >= 0
    assert some[:, 2:].max() < 1


def test_bytes_in_and_bytes_out_and_a_seed_gives_one_image():
    two_layers = tf.function(lambda seed: rand_augment.rand_augment(IMAGE, 2, 10, seed))
    images = [two_layers(tf.constant([0, number], tf.int64)).numpy() for number in range(12)]
    assert all(image.dtype == np.uint8 and image.shape == IMAGE.shape for image in images)
    assert len({image.tobytes() for image in images}) > 6
    np.testing.assert_array_equal(two_layers(tf.constant([0, 3], tf.int64)), images[3])


def test_grey_images_get_three_channels_for_the_operations(monkeypatch):
    def invert(image, sign, centre):
        assert image.shape == (40, 60, 3)
        assert image.dtype == tf.uint8
        return 255 - image

    monkeypatch.setattr(rand_augment, "operations", lambda magnitude: {"Invert": invert})
    grey = IMAGE[..., :1]
    results = {rand_augment.rand_augment(grey, 1, 10, [0, number]).numpy().tobytes() for number in range(20)}
    assert results == {grey.numpy().tobytes(), (255 - grey).numpy().tobytes()}
