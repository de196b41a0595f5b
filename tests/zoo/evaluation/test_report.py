import numpy as np
import pytest

from lambda_keras.zoo.evaluation.report import calibration_error, evaluate_probabilities, wilson_interval

NAMES = tuple("abcdefgh")


def certain(predicted, classes=8):
    """Probabilities of a model that is sure of these classes."""
    return np.eye(classes, dtype="float32")[predicted]


def random_case(classes=8, count=200):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(classes, 0.5), count).astype("float32")
    # Right more often than by chance.
    labels = np.where(random.random(count) < 0.5, probabilities.argmax(-1), random.integers(0, classes, count))
    return probabilities, labels


def test_a_perfect_model():
    labels = np.arange(8)
    result = evaluate_probabilities(certain(labels), labels, NAMES)
    assert (result.images, result.top_1, result.top_5, result.loss, result.calibration_error) == (8, 1, 1, 0, 0)
    np.testing.assert_array_equal(result.confusion, np.eye(8))
    assert {(row.images, row.recall, row.precision, row.f1) for row in result.classes} == {(1, 1, 1, 1)}
    assert tuple(row.name for row in result.classes) == NAMES


def test_a_hand_made_case():
    labels = np.array([0, 0, 0, 1, 1, 2])
    result = evaluate_probabilities(certain([0, 0, 1, 1, 0, 1], classes=4), labels, ("cat", "dog", "owl", "yak"))
    assert result.top_1 == pytest.approx(3 / 6)
    np.testing.assert_array_equal(result.confusion, [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    cat, dog, owl, yak = result.classes
    assert (cat.images, cat.recall, cat.precision, cat.f1) == pytest.approx((3, 2 / 3, 2 / 3, 2 / 3))
    assert (dog.images, dog.recall, dog.precision, dog.f1) == pytest.approx((2, 1 / 2, 1 / 3, 2 / 5))
    assert (owl.images, owl.recall, owl.f1) == (1, 0, 0)
    assert np.isnan([owl.precision, yak.recall, yak.precision, yak.f1]).all(), "nothing divided by nothing"
    assert yak.images == 0


def test_top_5_counts_the_rank_of_the_right_class():
    probabilities, labels = random_case()
    rank = (probabilities > probabilities[np.arange(len(labels)), labels][:, None]).sum(axis=1)
    result = evaluate_probabilities(probabilities, labels, NAMES)
    assert result.top_1 == pytest.approx(np.mean(rank < 1))
    assert result.top_5 == pytest.approx(np.mean(rank < 5))
    assert result.top_1 < result.top_5 < 1


def test_top_5_of_classes_without_images():
    probabilities = np.array([[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.04, 0.01]] * 2, "float32")
    assert evaluate_probabilities(probabilities, np.array([4, 5]), NAMES).top_5 == 0.5


@pytest.mark.parametrize("classes", [2, 5])
def test_there_is_no_top_5_among_five(classes):
    probabilities, labels = random_case(classes)
    assert evaluate_probabilities(probabilities, labels, NAMES[:classes]).top_5 is None


def test_the_loss_of_the_uniform_model_is_the_logarithm_of_the_classes():
    result = evaluate_probabilities(np.full((10, 8), 1 / 8, "float32"), np.arange(10) % 8, NAMES)
    assert result.loss == pytest.approx(np.log(8))


def test_the_loss_is_keras():
    import keras

    probabilities, labels = random_case()
    expected = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    assert evaluate_probabilities(probabilities, labels, NAMES).loss == pytest.approx(
        float(np.mean(expected)), rel=1e-4
    )


def test_a_probability_of_zero_gives_a_large_loss_and_not_an_infinite_one():
    assert 80 < evaluate_probabilities(certain([0]), np.array([1]), NAMES).loss < 100


def guo(probabilities, labels, bins):
    """The definition, bin by bin: sum of |B| / n · |accuracy(B) - confidence(B)| over bins B = (lower, upper]."""
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    error = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            accuracy = np.mean(predicted[inside] == labels[inside])
            error += inside.mean() * abs(accuracy - confidence[inside].mean(dtype="float64"))
    return error


@pytest.mark.parametrize("bins", [1, 4, 10, 15])
def test_the_calibration_error_is_guos(bins):
    probabilities, labels = random_case()
    assert calibration_error(probabilities, labels, bins) == pytest.approx(guo(probabilities, labels, bins), abs=1e-9)


def test_a_perfectly_calibrated_model_has_no_calibration_error():
    # Of each four images with confidence 3/4 three are right, of each two with 1/2 one is.
    probabilities = np.array([[0.75, 0.25]] * 8 + [[0.5, 0.5]] * 4)
    labels = np.array([0, 0, 0, 1] * 2 + [0, 1] * 2)
    assert calibration_error(probabilities, labels) == 0


def test_always_sure_and_wrong_is_a_calibration_error_of_one():
    assert calibration_error(certain([0, 1, 2]), np.array([1, 2, 3])) == 1


def test_errors_of_different_bins_do_not_cancel():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4]])
    # Sure and wrong by 0.9, unsure and right by 0.4.
    assert calibration_error(probabilities, np.array([1, 0])) == pytest.approx((0.9 + 0.4) / 2)


def test_a_confidence_rounded_above_one_stays_in_the_last_bin():
    assert calibration_error(np.array([[1.0000001, 0]], "float32"), np.array([0])) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("count", "total"), [(0, 7), (3, 10), (95, 100), (5, 5)])
def test_wilsons_interval_is_that_of_his_equation(count, total):
    # Both ends p solve |count / total - p| = z·√(p (1 - p) / total), with the normal distribution's z of 95 %.
    z = 1.959964
    for end in wilson_interval(count, total):
        assert abs(count / total - end) == pytest.approx(z * np.sqrt(end * (1 - end) / total), abs=1e-6)
