import os

import pytest

from lambda_keras.zoo.detection.data.json_file import LARGEST_JSON, field, read_json
from lambda_keras.zoo.errors import UserError


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        os.truncate(file.fileno(), LARGEST_JSON + 1)
    with pytest.raises(UserError, match="has 2,147,483,649 bytes, over the limit of 2,147,483,648"):
        read_json(path)


def test_a_number_of_too_many_digits_is_one_line(tmp_path):
    path = tmp_path / "digits.json"
    path.write_text("9" * 5000)
    with pytest.raises(UserError, match="is no JSON file"):
        read_json(path)


@pytest.mark.parametrize(("value", "kind"), [(1, int), (1, float), (0.5, float), ("a", str), ([], list), ({}, dict)])
def test_fields_of_the_right_kind(value, kind):
    assert field({"a": value}, "a", kind, "it") == value


@pytest.mark.parametrize(("value", "kind"), [(1.0, int), (True, int), (True, float), (None, str), ({}, list)])
def test_fields_of_another_kind(value, kind):
    with pytest.raises(UserError, match="it: a must be "):
        field({"a": value}, "a", kind, "it")
