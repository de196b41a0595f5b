import contextlib
import io

import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.training.classification import Classification
from lambda_keras.zoo.training.progress import Progress

OUTPUT = {"loss": 1.23456, "accuracy": 0.5, "learning_rate": 0.1}
ROW = {
    "epoch": 3,
    "loss": 1.25,
    "accuracy": 0.5,
    "val_loss": 0.75,
    "val_accuracy": 0.8125,
    "learning_rate": 0.1,
    "seconds": 4.0,
    "images_per_second": 249.6,
    "unreadable_images": 0.0,
}
LINE = "epoch 3/10  loss 1.2500  accuracy 50.00%  validation loss 0.7500  accuracy 81.25%"


def task():
    """What words the figures."""
    recipe = recipe_file.load("digits")
    return Classification(recipe, catalog.load(recipe.data))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_a_terminal(**arguments):
    """Returns what a training of 4000 images shows after the first 1000."""
    # Not in a fixture: pytest puts its own stdout in place after those.
    with contextlib.redirect_stdout(Terminal()) as terminal:
        progress = Progress(4000, task(), **arguments)
        progress.update(1000, OUTPUT)
        progress.epoch(ROW, epochs=10)
        progress.close()
    return terminal.getvalue()


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, "  250 images/s"),
        ({"images_per_second": None, "seconds": None}, ""),
        ({"unreadable_images": 2.0}, "  250 images/s  2 images could not be read"),
    ],
)
def test_in_a_file_there_is_a_line_an_epoch_and_no_bar(capsys, changes, end):
    progress = Progress(4000, task())
    progress.update(1000, OUTPUT)
    progress.epoch({**ROW, **changes}, epochs=10)
    progress.close()
    assert capsys.readouterr() == (f"{LINE}{end}\n", "")


def test_on_a_terminal_there_is_a_bar_too():
    text = on_a_terminal(done=400)
    assert f"{LINE}  250 images/s\n" in text
    first, *_, last = (part for part in text.split("\r") if "|" in part)
    assert " 10%|" in first
    assert "400/4.00k" in first
    for part in (" 25%|", "1.00k/4.00k", "image/s", "loss=1.235", "accuracy=50.00%"):
        assert part in last


def test_a_worker_that_is_not_the_chief_shows_nothing():
    assert on_a_terminal(show=False) == ""
