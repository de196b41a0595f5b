import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.zoo.pseudo_labels.soft_labels import NONE, most_probable, parse, to_example


def test_the_most_probable_classes_and_the_rest_are_those_of_numpy():
    probabilities = np.random.default_rng(0).dirichlet(np.full(20, 0.3), 50).astype("float32")
    labels = most_probable(probabilities, 4)
    for row, classes, kept, rest in zip(probabilities, *labels, strict=True):
        assert sorted(kept, reverse=True) == kept.tolist() == sorted(row, reverse=True)[:4]
        np.testing.assert_array_equal(row[classes], kept)
        assert rest == pytest.approx(np.delete(row, classes).sum(), abs=1e-6)
    np.testing.assert_allclose(labels.probabilities.sum(axis=1) + labels.rest, 1, atol=1e-6)


def test_of_equal_ones_the_first_class_comes_first_and_of_all_classes_nothing_is_left():
    labels = most_probable(np.full((1, 3), 1 / 3, "float32"), 5)
    assert labels.classes.tolist() == [[0, 1, 2]]
    assert labels.rest.tolist() == [0]


def test_records_are_read_as_they_were_written():
    labelled = to_example(b"a.jpg", b"0-2", [3, 1], [0.5, 0.25], 0.25)
    unreadable = to_example(b"b.jpg", b"0-2")
    classes, probabilities, rest = parse([labelled.SerializeToString(), unreadable.SerializeToString()], 2)
    assert classes.tolist() == [[3, 1], [NONE, NONE]]
    assert probabilities.tolist() == [[0.5, 0.25], [0, 0]]
    assert rest.tolist() == [0.25, 0]
    assert labelled.features.feature["source"].bytes_list.value == [b"0-2"]


def test_a_record_with_another_number_of_classes_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError):
        parse([to_example(b"a", b"b", [3, 1], [0.5, 0.25], 0.25).SerializeToString()], 3)
