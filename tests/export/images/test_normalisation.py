import json
import shutil

import pytest

from lambda_keras.export.checks.artifact import Artifact, find_artifact
from lambda_keras.export.images.normalisation import check_artifact, check_normalisation
from lambda_keras.zoo.errors import UserError


def test_rounding_to_float32_is_no_difference(record):
    check_normalisation("data", [0.4, 0.45, 0.5 + 1e-7], record.preprocessor.std, record, "remedy")


@pytest.mark.parametrize("mean", [(0.4, 0.45, 0.501), (0.4,), ()])
def test_a_difference_is_told_with_the_remedy(record, mean):
    with pytest.raises(UserError, match=r"data has mean .* the model's record \[0.4, 0.45, 0.5\] .*; do this"):
        check_normalisation("data", mean, record.preprocessor.std, record, "do this")
    check_normalisation("data", mean, record.preprocessor.std, None, "do this")


@pytest.mark.parametrize("name", ["mean", "std"])
def test_an_artifact_of_another_normalisation_is_refused(quantized, digits_record, server_model, record, name):
    for path, own in ((quantized["int8"], digits_record), (server_model, record)):
        artifact = find_artifact(path)
        check_artifact(artifact, own)
        other = own.with_preprocessing(**{name: (0.7,) * own.preprocessor.channels})
        with pytest.raises(
            UserError, match=r"has mean .* the model's record .*0\.7.*; it is of another model, or older"
        ):
            check_artifact(artifact, other)


def test_without_a_record_on_either_side_there_is_nothing_to_compare(quantized, saved_model, tflite, record):
    check_artifact(find_artifact(quantized["none"]), None)
    check_artifact(find_artifact(saved_model), record)
    check_artifact(find_artifact(tflite), record)


@pytest.mark.parametrize("preprocessing", [5, {}, {"mean": None, "std": "x"}])
def test_a_damaged_description_is_one_line(server_model, record, tmp_path, preprocessing):
    shutil.copytree(server_model, tmp_path / "1")
    description = json.loads((tmp_path / "1" / "model.json").read_text())
    (tmp_path / "1" / "model.json").write_text(json.dumps({**description, "preprocessing": preprocessing}))
    with pytest.raises(UserError):
        check_artifact(Artifact("saved_model", tmp_path / "1"), record)
