import pytest

from lambda_keras.zoo.detection.kind import LARGEST_RECORD, is_detector


@pytest.mark.parametrize(
    ("record", "expected"),
    [('{"network": {}}', True), ('{"preprocessor": {}}', False), ("[", False), ("1", False), (None, False)],
)
def test_the_record_beside_the_model_says_it(record, expected, tmp_path):
    (tmp_path / "model.keras").touch()
    if record is not None:
        (tmp_path / "record.json").write_text(record)
    assert is_detector(tmp_path) is is_detector(tmp_path / "model.keras") is expected


def test_a_name_and_a_record_that_is_too_large_are_no_detector(tmp_path):
    (tmp_path / "model.keras").touch()
    with open(tmp_path / "record.json", "w") as file:
        file.write('{"network": {}}')
        file.truncate(LARGEST_RECORD + 1)
    assert not is_detector(tmp_path)
    assert not is_detector("lambda_resnet_tiny")
