import keras
import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.explaining.explanation import _find_label, explain, explain_image
from lambda_keras.zoo.explaining.grad_cam import grad_cam
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.image_file import read_image
from lambda_keras.zoo.models.model_source import find


@pytest.fixture(scope="module")
def classifier(saved_run):
    return Classifier(find(saved_run))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A zero and a one as files."""
    folder = tmp_path_factory.mktemp("files")
    for number, image in enumerate(digits.load_arrays()[0][:2]):
        (folder / f"{number}.png").write_bytes(tf.io.encode_png(image).numpy())
    return [folder / "0.png", folder / "1.png"]


@pytest.fixture(scope="module")
def image(files, record):
    return read_image(files[0], record.preprocessor)


def normalised(image):
    return ((image / 255 - 0.305) / 0.376).astype("float32")


def test_rows_are_those_of_the_library_for_the_normalised_image(classifier, model, image):
    (row,) = explain_image(classifier, image, "c4_block2_lambda", queries=[(1, 6)])
    expected = lk.explain.interaction_map(model, normalised(image), "c4_block2_lambda", (1, 6))
    np.testing.assert_allclose(row.interaction_map.content, expected.content, atol=1e-4)
    np.testing.assert_allclose(row.interaction_map.position, expected.position, atol=1e-4)
    (probabilities,) = model.predict(normalised(image)[None], verbose=0)
    assert row.predicted == row.explained == str(probabilities.argmax())
    assert row.probability == pytest.approx(probabilities.max(), abs=1e-5)
    np.testing.assert_array_equal(row.image, image)


def test_by_default_the_last_layer_and_five_places(classifier, image):
    rows = explain_image(classifier, image)
    assert {row.interaction_map.layer for row in rows} == {"c5_block1_lambda"}
    assert [row.interaction_map.query for row in rows] == [(4, 4), (2, 2), (2, 6), (6, 2), (6, 6)]


def test_a_model_inside_a_model(classifier, model, record, image, tmp_path):
    keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Rescaling(1.0), model]).save(tmp_path / "nested.keras")
    record.write(tmp_path / "record.json")
    nested = Classifier(find(tmp_path / "nested.keras"))
    (row,) = explain_image(nested, image, queries=[(1, 6)])
    (expected,) = explain_image(classifier, image, queries=[(1, 6)])
    assert row.probability == pytest.approx(expected.probability, abs=1e-5)
    np.testing.assert_allclose(row.interaction_map.total, expected.interaction_map.total, atol=1e-4)
    np.testing.assert_allclose(row.grad_cam, expected.grad_cam, atol=1e-4 * expected.grad_cam.max())


def test_grad_cam_is_of_the_class_asked_for(classifier, model, image):
    (row,) = explain_image(classifier, image, queries=[(0, 0)], class_name="8")
    assert row.explained == "8"
    np.testing.assert_allclose(row.grad_cam, grad_cam(model, normalised(image), 8), atol=1e-5)


def test_the_command_writes_a_picture_and_says_what_it_shows(saved_run, files, tmp_path, capsys):
    out = tmp_path / "seen.png"
    arguments = [*map(str, files), "--query", "3,4", "--layer", "c4_block2_lambda", "--class", "7", "--out", str(out)]
    assert main(["explain", str(saved_run), *arguments]) == 0
    *images, layer, wrote = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in images] == list(map(str, files))
    assert all(line.endswith("%, Grad-CAM of 7") for line in images)
    assert layer == "layer: c4_block2_lambda, whose map is 8x8 (of c4_block2_lambda, c5_block1_lambda)"
    assert wrote == f"Wrote {out}"
    assert [path.name for path in tmp_path.iterdir()] == ["seen.png"]
    height, width = matplotlib.image.imread(out).shape[:2]
    assert width > 2 * height, "two rows of five"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--layer", "stem_conv"], "--layer must be one of c4_block2_lambda, c5_block1_lambda, got stem_conv"),
        (["--query", "8,0"], "`query` must be a position in the map of c5_block1_lambda, .* sides (8, 8)."),
        (["--query", "4"], "argument --query: expected two integers such as 4,4, got 4"),
        (["--class", "cat"], "--class must be one of the model's 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), got cat"),
        (["--most-pixels", "9"], "pixels, over the limit of 9; --most-pixels raises it"),
        (["--out", "seen.jpg"], "--out takes a .png file in a folder that exists, got seen.jpg"),
        (["--out", "missing/seen.png"], "--out takes a .png file in a folder that exists, got missing/seen.png"),
    ],
)
def test_what_does_not_fit_is_one_line(saved_run, files, arguments, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", str(saved_run), str(files[0]), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    for part in expected.split(" .* "):
        assert part in err
    assert not list(tmp_path.iterdir())


def test_a_model_without_lambda_layers_is_one_line(colour_run, files, capsys):
    assert main(["explain", str(colour_run), str(files[0])]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lambda-zoo: {colour_run / 'model.keras'} has no lambda layers")
    assert err.count("\n") == 1


def test_more_rows_than_a_picture_has_room_for(saved_run, files, tmp_path, monkeypatch):
    monkeypatch.setattr("lambda_keras.zoo.explaining.explanation.MOST_ROWS", 4)
    with pytest.raises(UserError, match="room for 4 queries; give fewer images, or one --query"):
        explain(saved_run, files, out=tmp_path / "seen.png")
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_written_leaves_nothing(saved_run, files, tmp_path):
    (tmp_path / "seen.png").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*seen\.png: Is a directory"):
        explain(saved_run, files[:1], query=(0, 0), out=tmp_path / "seen.png")
    assert [path.name for path in tmp_path.iterdir()] == ["seen.png"]


def test_the_names_of_many_classes_are_cut_off(classifier):
    names = tuple(f"class_{number}" for number in range(1000))
    with pytest.raises(UserError, match=r"1000 classes \(class_0, .*class_19, …\), got cat"):
        _find_label(names, "cat")
    assert _find_label(names, "class_7") == 7
