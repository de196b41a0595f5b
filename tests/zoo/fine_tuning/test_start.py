import pytest

from lambda_keras.applications import imagenet
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning import start
from lambda_keras.zoo.fine_tuning.settings import Settings


def find_start(model, weights=None, warm_start=None):
    return start.find_start(Settings("pictures", model, "out", weights=weights, warm_start=warm_start))


def test_the_default_is_imagenet():
    found = find_start("lambda_resnet50ts")
    assert (found.weights, found.is_pretrained) == ("imagenet", True)
    assert (found.preprocessor.image_size, found.preprocessor.evaluation_crop) == (256, 0.95)
    assert found.describe() == "the weights imagenet"


def test_a_tag_and_a_repository_of_the_catalog():
    preprocessor = find_start("lambda_resnet26t", "c1_in1k").preprocessor
    assert preprocessor.evaluation_crop == 0.94
    assert find_start("lambda_resnet26t", "hf://timm/lambda_resnet26t.c1_in1k").preprocessor == preprocessor


def test_a_tag_is_no_folder_of_its_name_and_no_file_beside_a_record(saved_run, tmp_path, monkeypatch):
    expected = find_start("lambda_resnet_tiny", "digits")
    (tmp_path / "digits").mkdir()
    for folder in (tmp_path, saved_run):
        monkeypatch.chdir(folder)
        assert find_start("lambda_resnet_tiny", "digits").preprocessor == expected.preprocessor


def test_none_is_random():
    found = find_start("lambda_resnet_tiny", "none")
    assert (found.weights, found.is_pretrained, found.describe()) == (None, False, "random weights")
    assert found.preprocessor == Preprocessor(32)


def test_a_warm_start():
    found = find_start("lambda_resnet50", None, "resnet_rs")
    assert (found.weights, found.warm_start, found.is_pretrained) == (None, "resnet_rs", False)
    assert "the lambda layers random" in found.describe()


def test_a_run_and_a_shared_model_say_how_they_want_their_images(saved_run, shared):
    for source in (saved_run / "model.keras", shared):
        preprocessor = find_start("lambda_resnet_tiny", str(source)).preprocessor
        assert (preprocessor.mean, preprocessor.std, preprocessor.evaluation_crop) == ((0.305,), (0.376,), 1)


def test_a_lone_file_does_not(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    found = find_start("lambda_resnet_tiny", str(tmp_path / "model.weights.h5"))
    assert found.preprocessor == Preprocessor(32)


@pytest.mark.parametrize(
    ("weights", "class_names", "expected"),
    [
        ("digits", "0123456789", True),
        ("digits", "9876543210", False),
        ("digits", "01234", False),
        ("fashion_mnist", "0123456789", False),
    ],
)
def test_as_many_classes_are_not_the_same_ones(weights, class_names, expected):
    assert find_start("lambda_resnet_tiny", weights).classifies(tuple(class_names)) == expected


def test_of_which_classes_weights_are_is_known_with_a_record_alone(shared, saved_run, model, tmp_path):
    for source in (shared, saved_run, saved_run / "model.keras"):
        assert find_start("lambda_resnet_tiny", str(source)).classifies(tuple("0123456789"))
    model.save(tmp_path / "lone.keras")
    lone = find_start("lambda_resnet_tiny", str(tmp_path / "lone.keras"))
    assert not lone.classifies(tuple("0123456789"))
    assert not find_start("lambda_resnet_tiny", "none").classifies(tuple("0123456789"))


def test_imagenets_classes_are_looked_at_for_as_many_only(class_index):
    found = find_start("lambda_resnet50ts", "imagenet")
    assert found.classifies(tuple(f"n{label:08}" for label in range(1000)))
    assert not found.classifies(tuple(map(str, range(1000))))
    (class_index / "imagenet_class_index.json").unlink()
    imagenet.class_names.cache_clear()
    assert not found.classifies(("cat", "dog"))


def test_a_start_says_that_its_classifier_is_not_kept():
    found = find_start("lambda_resnet_tiny", "digits")
    assert found.describe(fresh_classifier=True).startswith("the weights digits, but for the classifier, which is rand")


@pytest.mark.parametrize(
    ("model", "weights", "warm_start", "expected"),
    [
        ("lambda_resnet_tny", None, None, "--model lambda_resnet_tny: .*lambda_resnet_tiny"),
        ("lambda_resnet50", None, None, r"no weights of lambda_resnet50 are published; .* \(--weights none\)"),
        ("lambda_resnet_tiny", None, None, r"lambda_resnet_tiny has no weights 'imagenet'\. There are: fashion_mnist"),
        ("lambda_resnet50ts", "c1_in1k", None, "lambda_resnet50ts has no weights 'c1_in1k'"),
        ("lambda_resnet50", "mine.h5", "resnet_rs", "--weights and --warm-start exclude each other"),
    ],
)
def test_starts_that_are_none(model, weights, warm_start, expected):
    with pytest.raises(UserError, match=expected):
        find_start(model, weights, warm_start)
