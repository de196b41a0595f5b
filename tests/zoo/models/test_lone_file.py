import keras
import numpy as np
import PIL.Image
import pytest

from lambda_keras.zoo import cli
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_source import find
from lambda_keras.zoo.models.record import Record


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """A model of another program that tells dark from bright by values from 0 to 255, without a record."""
    inputs = keras.Input((16, 16, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    outputs = keras.layers.Dense(2, activation="softmax")(outputs)
    model = keras.Model(inputs, outputs, name="bright")
    model.set_weights([np.array([[-9.0, 9.0]] * 3), np.array([13.5, -13.5])])
    path = tmp_path_factory.mktemp("lone") / "bright.keras"
    model.save(path)
    return path


@pytest.fixture
def without_record(bright):
    yield bright
    bright.with_name("record.json").unlink(missing_ok=True)


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("dark\nbright\n")
    return path


def run(*arguments):
    return cli.main(["write-record", *map(str, arguments)])


def test_predict_names_the_command_that_makes_it_work(without_record, names, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    PIL.Image.new("RGB", (20, 20), (230, 230, 230)).save(picture)
    assert cli.main(["predict", str(without_record), str(picture)]) == 2
    assert "lambda-zoo write-record" in capsys.readouterr().err
    assert run(without_record, "--normalises-itself", "--class-names", names) == 0
    assert "16x16 pixels, 2 classes" in capsys.readouterr().out
    assert cli.main(["predict", str(without_record), str(picture), "--top", "1"]) == 0
    # 230 / 255 is far above a half.
    assert "bright" in capsys.readouterr().out


def test_one_number_is_of_all_channels(without_record, capsys):
    assert run(without_record, "--mean", 0.5, "--std", 0.25, "--evaluation-crop", 1, "--interpolation", "bilinear") == 0
    record = Record.read(without_record.with_name("record.json"))
    assert record.preprocessor.mean == (0.5,) * 3
    assert record.preprocessor.std == (0.25,) * 3
    assert (record.preprocessor.evaluation_crop, record.preprocessor.interpolation) == (1, "bilinear")
    assert record.class_names == ("0", "1")
    assert Classifier(find(without_record)).record == record


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--mean and --std, or --normalises-itself"),
        (("--normalises-itself", "--mean", "0.5"), "--mean and --std, or --normalises-itself"),
        (("--mean", "0.5"), "--mean and --std belong together"),
        (("--mean", "0.5", "0.5", "--std", "0.2"), "cannot have std"),
        (("--mean", "nan", "--std", "1"), "mean=(nan, nan, nan)"),
        (("--normalises-itself", "--image-size", "32"), "its images are 32x32, the model takes 16x16"),
        (("--normalises-itself", "--evaluation-crop", "0"), "evaluation_crop"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(without_record, arguments, message, capsys):
    assert run(without_record, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not without_record.with_name("record.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"dark\n", "1 lines, the model 2 classes"), (b"\xff\xfe", "no text in UTF-8"), (b"a\x1b\nb\n", "line 1")],
)
def test_names_that_do_not_fit_are_refused(without_record, tmp_path, content, message, capsys):
    (tmp_path / "names.txt").write_bytes(content)
    assert run(without_record, "--normalises-itself", "--class-names", tmp_path / "names.txt") == 2
    assert message in capsys.readouterr().err


def test_a_record_is_replaced_when_asked_alone(without_record, capsys):
    assert run(without_record, "--normalises-itself") == 0
    written = without_record.with_name("record.json").read_text()
    assert run(without_record, "--mean", 0.5, "--std", 0.5) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert without_record.with_name("record.json").read_text() == written
    assert run(without_record, "--mean", 0.5, "--std", 0.5, "--overwrite") == 0
    assert without_record.with_name("record.json").read_text() != written


def test_an_input_of_any_size_needs_the_size(tmp_path, capsys):
    inputs = keras.Input((None, None, 1))
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "any.keras")
    assert run(tmp_path / "any.keras", "--normalises-itself") == 2
    assert "NonexNone pixels; say with --image-size" in capsys.readouterr().err
    assert run(tmp_path / "any.keras", "--normalises-itself", "--image-size", 24) == 0
    assert Record.read(tmp_path / "record.json").preprocessor.image_size == 24
