import matplotlib.image
import numpy as np
import pytest

from lambda_keras.zoo import plots

RED = np.array([0xCC, 0x33, 0x11]) / 255
# A cell of the confusion matrix that holds its whole row: the end of ColorBrewer's Blues.
FULL_CELL = np.array([8, 48, 107]) / 255


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


@pytest.mark.parametrize("classes", [2, 10, plots.READABLE_CLASSES])
def test_a_confusion_matrix_is_dark_on_the_diagonal_if_all_is_right(tmp_path, classes):
    names = [f"class {number}" for number in range(classes)]
    for matrix, sign in ((np.eye(classes, dtype=int), 1), (np.eye(classes, dtype=int)[::-1], -1)):
        plots.confusion_matrix(9 * matrix, names, tmp_path / "matrix.png")
        rows, columns = np.nonzero(np.abs(read(tmp_path / "matrix.png") - FULL_CELL).max(axis=-1) < 0.02)
        assert sign * np.corrcoef(rows, columns)[0, 1] > 0.7


def test_a_confusion_matrix_of_few_classes_has_names_and_numbers(tmp_path):
    pictures = []
    for number, names in ((3, ("cat", "dog")), (4, ("cat", "dog")), (3, ("cat", "yak"))):
        plots.confusion_matrix(np.diag([number, number]), names, tmp_path / "matrix.png")
        pictures.append(read(tmp_path / "matrix.png"))
    first, other_number, other_name = pictures
    inside = np.s_[200:400, 100:500]  # the cells, without title and names
    assert (first[inside] != other_number[inside]).any()
    assert (first != other_name).any()


NAMES = ("a_$x_$", "$", "a name that is as long as the path of a file, with no end in sight")


def test_names_of_classes_are_no_formulas_and_push_nothing_aside(tmp_path):
    labels, probabilities = np.arange(3), np.eye(3)[[1, 2, 0]]
    plots.predictions(np.zeros((3, 8, 8, 1), "uint8"), labels, probabilities, NAMES, tmp_path / "grid.png")
    plots.contact_sheet(np.zeros((3, 8, 8, 1), "uint8"), NAMES, np.ones(3, bool), 3, tmp_path / "sheet.png")
    sizes = []
    for names in (NAMES, ("cat", "dog", "yak")):
        plots.confusion_matrix(np.eye(3, dtype=int), names, tmp_path / "matrix.png")
        sizes.append((np.abs(read(tmp_path / "matrix.png") - FULL_CELL).max(axis=-1) < 0.02).sum())
    assert sizes[0] > 0.3 * sizes[1], "the cells are as good as gone"


def test_one_image_among_a_thousand_classes_can_be_seen(tmp_path):
    pictures = []
    for count in (0, 1):
        matrix = 50 * np.eye(1000, dtype=int)
        matrix[600, 100] = count
        plots.confusion_matrix(matrix, ["name"] * 1000, tmp_path / "matrix.png")
        pictures.append(read(tmp_path / "matrix.png"))
    # Below the title, which has the number of images.
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=-1)[200:])
    assert len(rows) >= 1
    assert np.ptp(rows) <= 1
    assert np.ptp(columns) <= 1
    assert columns[0] < pictures[0].shape[1] / 4


def test_a_class_without_images_is_an_empty_row(tmp_path):
    plots.confusion_matrix(np.array([[5, 0], [0, 0]]), ("cat", "dog"), tmp_path / "matrix.png")
    assert np.isfinite(read(tmp_path / "matrix.png")).all()
