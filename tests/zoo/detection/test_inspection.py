import numpy as np
import pytest
from PIL import Image

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.detection import drawing, inspection


@pytest.fixture
def run_command(write_coco, tmp_path):
    file, images = write_coco()

    def run(*options):
        return main(["detect", "inspect-data", "--data", str(file), "--images", str(images), *options])

    return run


def test_it_says_what_there_is_and_draws_it(run_command, tmp_path, capsys):
    out = tmp_path / "data.png"
    assert run_command("--out", str(out), "--image-size", "96") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "3 pictures, 1 without an object",
        "3 objects, 1 of them crowds, at most 1 in a picture",
        "3 categories: cat, dog, owl",
    ]
    assert lines[3] == "could not be read: 0 of the 12 images shown"
    pixels = np.asarray(Image.open(out)).reshape(-1, 3)
    # Jitter shows a cat or a dog on at least one of twelve images.
    colours = np.array([drawing.colour(1), drawing.colour(2)])
    assert (pixels[:, np.newaxis] == colours).all(axis=-1).any()


def test_without_masks(run_command, tmp_path):
    assert run_command("--boxes-only", "--out", str(tmp_path / "data.png")) == 0


def test_a_mask_is_laid_where_its_frame_is():
    mask = np.zeros((112, 112), "uint8")
    mask[:56] = 1
    whole = inspection._whole(mask, np.array([8.0, 4, 24, 20]), 32)
    expected = np.zeros((32, 32), "uint8")
    expected[8:16, 4:20] = 1
    np.testing.assert_array_equal(whole, expected)


def test_bad_input_ends_in_a_line(run_command, tmp_path, capsys):
    for options, message in (
        (("--out", "data.jpg"), "--out takes a .png file"),
        (("--out", str(tmp_path / "x.png"), "--image-size", "0"), "--image-size must be 1 to 4096"),
    ):
        assert run_command(*options) == 2
        assert message in capsys.readouterr().err
