import json

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.export import checks
from lambda_keras.zoo.detection.predict import Predictor
from tests.export.detection.conftest import SIDE, png

RUN_ARTIFACT = f"{checks.__path__[0]}/run_artifact.py"
# In a process in which neither keras nor this project can be imported.
RELOAD = """
import runpy, sys
runpy.run_path(sys.argv[1])
import numpy as np
import tensorflow as tf
detect = tf.saved_model.load(sys.argv[2]).signatures["detect_bytes"]
files = tf.constant([open(file, "rb").read() for file in sys.argv[4:]])
found = {name: value.numpy() for name, value in detect(image_bytes=files).items()}
np.savez(sys.argv[3], **{**found, "classes": np.char.decode(found["classes"].astype("S"), "utf-8")})
"""
NAMES = np.array(["", "red", "grün"])


@pytest.fixture(scope="module")
def signatures(saved_model):
    return tf.saved_model.load(str(saved_model)).signatures


@pytest.fixture(scope="module")
def expected(detector, scenes):
    """What `lambda-zoo detect predict` finds in each scene."""
    predictor = Predictor(detector)
    return [predictor.find(png(scene), "scene") for scene in scenes]


def check(found, row, expected):
    """Compares a row of what a signature returned with what was expected."""
    count = len(expected.scores)
    np.testing.assert_allclose(found["boxes"][row][:count], expected.boxes, atol=1e-3)
    np.testing.assert_allclose(found["scores"][row][:count], expected.scores, atol=1e-5)
    np.testing.assert_allclose(found["masks"][row][:count], expected.masks, atol=1e-4)
    names = [getattr(name, "decode", lambda name=name: name)() for name in np.asarray(found["classes"][row]).tolist()]
    assert names[:count] == NAMES[expected.classes].tolist()
    for name in ("boxes", "scores", "masks"):
        assert not np.asarray(found[name][row][count:]).any()
    assert set(names[count:]) <= {""}


def test_the_detector_that_is_compared_finds_different_objects(expected):
    assert all(len(found.scores) >= 2 for found in expected)
    scores = np.concatenate([found.scores for found in expected])
    assert scores.max() > 0.5
    assert len(np.unique(np.round(scores, 3))) > 3
    assert {1, 2} <= set(np.concatenate([found.classes for found in expected]))


def test_without_keras_the_same_is_found_in_files_of_any_size(saved_model, scenes, expected, run_python, tmp_path):
    files = []
    for number, scene in enumerate(scenes):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(png(scene))
    run_python(RELOAD, RUN_ARTIFACT, saved_model, tmp_path / "found.npz", *files, cold=True)
    found = np.load(tmp_path / "found.npz")
    assert found["valid"].all()
    for row, of_scene in enumerate(expected):
        check(found, row, of_scene)


def test_what_is_no_image_or_too_large_spoils_its_own_row(signatures, scenes, expected):
    whole, large = png(scenes[1]), png(np.zeros((101, 100, 3), "uint8"))
    found = signatures["detect_bytes"](image_bytes=tf.constant([b"garbage", whole, large, whole[:99], whole]))
    found = {name: value.numpy() for name, value in found.items()}
    assert found["valid"].tolist() == [False, True, False, False, True]
    for row in (1, 4):
        check(found, row, expected[1])
    for row in (0, 2, 3):
        assert not found["boxes"][row].any()
        assert not found["scores"][row].any()
        assert not found["masks"][row].any()
        assert set(found["classes"][row]) == {b""}


@pytest.mark.parametrize("files", [[], [b"garbage"]])
def test_where_none_is_an_image_no_row_is_valid(signatures, files):
    found = signatures["detect_bytes"](image_bytes=tf.constant(files, tf.string))
    assert not found["valid"].numpy().any()
    assert {name: value.shape[0] for name, value in found.items()} == dict.fromkeys(found, len(files))


def test_images_of_one_size(signatures, scenes, expected):
    images = np.stack([scenes[2]] * 2)
    found = signatures["serving_default"](images=tf.constant(images))
    assert set(found) == {"boxes", "classes", "scores", "masks"}
    for row in range(2):
        check({name: value.numpy() for name, value in found.items()}, row, expected[2])


def test_every_weight_is_written_once(saved_model, detector):
    size = sum(file.stat().st_size for file in (saved_model / "variables").iterdir())
    assert size < 4 * detector.model.count_params() * 1.3


def test_labels_and_what_it_is_go_with_it(saved_model):
    assert (saved_model / "assets" / "labels.txt").read_text(encoding="utf-8") == "red\ngrün\n"
    described = json.loads((saved_model / "model.json").read_text())
    assert described["detector"]["image_size"] == SIDE
    assert described["categories"] == [{"id": 2, "name": "red"}, {"id": 9, "name": "grün"}]
    assert len(described["weights"]["sha256"]) == 64
