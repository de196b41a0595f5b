import matplotlib.image
import numpy as np
import pytest

from zoo import plots

RED = np.array([0xCC, 0x33, 0x11]) / 255


def read(path):
    return matplotlib.image.imread(path)[..., :3]


def red_pixels(picture):
    return int((np.abs(picture - RED).max(axis=-1) < 0.1).sum())


@pytest.mark.parametrize("channels", [1, 3])
def test_wrong_predictions_are_red_and_right_ones_are_not(tmp_path, channels):
    images = np.zeros((6, 8, 8, channels), "uint8")
    labels = np.array([0, 1, 0, 1, 0, 1])
    right = np.eye(2)[labels]
    plots.predictions(images, labels, right, ("cat", "dog"), tmp_path / "right.png")
    plots.predictions(images, labels, 1 - right, ("cat", "dog"), tmp_path / "wrong.png")
    assert red_pixels(read(tmp_path / "right.png")) == 0
    assert red_pixels(read(tmp_path / "wrong.png")) > 100


def test_the_grid_shows_the_images(tmp_path):
    labels = np.zeros(60, int)
    pictures = []
    for value in (0, 255):
        images = np.full((60, 8, 8, 1), value, "uint8")
        plots.predictions(images, labels, np.ones((60, 1)), ("cat",), tmp_path / "grid.png")
        pictures.append(read(tmp_path / "grid.png"))
    assert (pictures[1] - pictures[0]).mean() > 0.3


def test_curves_of_one_and_of_many_epochs(tmp_path):
    row = {"epoch": 1, "loss": 2.0, "val_loss": 2.5, "accuracy": 0.5, "val_accuracy": 0.4, "learning_rate": 0.1}
    plots.curves([row], tmp_path / "one.png")
    plots.curves([row, {**row, "epoch": 2, "loss": 1.0}], tmp_path / "two.png")
    assert read(tmp_path / "one.png").shape == read(tmp_path / "two.png").shape
    assert (read(tmp_path / "one.png") != read(tmp_path / "two.png")).any()
