import csv

import numpy as np
import pytest

from lambda_keras.zoo.data.splits import ArraySplit, Dataset
from lambda_keras.zoo.fine_tuning import predictions
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_source import find

BLUE, RED = (0, 0, 255), (255, 0, 0)
# The model is the surer the stronger the colour.
COLOURS = [BLUE, RED, (0, 0, 100), RED, BLUE, (200, 0, 0)]
LABELS = [0, 1, 0, 0, 1, 0]


@pytest.fixture(scope="module")
def predicted(colour_run):
    images = np.zeros((len(COLOURS), 8, 8, 3), "uint8") + np.array(COLOURS, "uint8")[:, np.newaxis, np.newaxis]
    split = ArraySplit(images, LABELS)
    dataset = Dataset("colours", ("blue", "red"), 3, (0.5,) * 3, (0.25,) * 3, split, split, split)
    names = [f"{number}.png" for number in range(len(COLOURS))]
    # The last batch is not full.
    return predictions.predict(Classifier(find(colour_run)), split, dataset, names, batch_size=4)


def test_every_image_has_its_name_label_and_probabilities(predicted):
    assert predicted.names == [f"{number}.png" for number in range(6)]
    assert predicted.labels.tolist() == LABELS
    assert predicted.predicted.tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(predicted.probabilities.sum(-1), 1, rtol=1e-5)


def test_the_worst_mistakes_come_first_with_their_pictures(predicted):
    assert sorted(predicted.worst) == [3, 4, 5]
    assert predicted.worst[-1] == 5
    assert {index: tuple(predicted.pictures[index][0, 0]) for index in predicted.worst} == {
        3: RED,
        4: BLUE,
        5: (200, 0, 0),
    }


def test_one_recognised_image_of_each_class_has_a_picture(predicted):
    assert predicted.recognised == [0, 1]
    assert [tuple(predicted.pictures[index][0, 0]) for index in (0, 1)] == [BLUE, RED]
    assert predicted.pictures.keys() == {0, 1, 3, 4, 5}


def test_the_table(predicted, tmp_path):
    predictions.write(predicted, ("blue", "red"), tmp_path / "predictions.csv")
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert [row["image"] for row in rows] == predicted.names
    assert (rows[3]["label"], rows[3]["predicted"]) == ("blue", "red")
    assert float(rows[3]["probability"]) + float(rows[3]["probability_of_label"]) == pytest.approx(1, abs=1e-5)
