import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data.images.valid_images import read_valid, to_places

SHAPE = (2, 3, 1)


@tf.function
def read(files):
    def decode(file, level):
        return tf.io.decode_png(file, channels=1) + tf.cast(level, tf.uint8)

    return read_valid((files, tf.range(tf.size(files))), decode, SHAPE)


def test_what_cannot_be_read_is_left_out():
    good = tf.io.encode_png(tf.zeros(SHAPE, tf.uint8)).numpy()
    images, places = read(tf.constant([b"", good, b"garbage", good]))
    assert places.numpy().tolist() == [1, 3]
    np.testing.assert_array_equal(images, np.broadcast_to(np.reshape([1, 3], (2, 1, 1, 1)), (2, *SHAPE)))


def test_where_none_is_valid_there_is_a_black_image_of_no_place():
    images, places = read(tf.constant([b"x"]))
    assert images.shape == (1, *SHAPE)
    assert not np.any(images)
    assert places.shape == (0,)


def test_to_places():
    names = to_places(tf.constant([["a"], ["b"]]), tf.constant([3, 1], tf.int64), tf.constant(4, tf.int64))
    assert names.numpy().tolist() == [[b""], [b"b"], [b""], [b"a"]]
