import pytest

from lambda_keras.zoo.data.files import class_names
from lambda_keras.zoo.errors import UserError


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\x1b[2J", "\x9b2J", "a\u2028", "\udc80"])
def test_a_name_with_a_control_character_is_refused(name):
    with pytest.raises(UserError, match="table: the name of a class is one line") as refused:
        class_names.check_name(name, "table")
    assert name not in str(refused.value)


@pytest.mark.parametrize("name", ["", " ", "T-shirt/top", "zéro", "ZWJ 👩\u200d🌾", "می\u200cخواهم"])
def test_other_names_are_names(name):
    class_names.check_name(name, "table")


def test_names_that_look_alike():
    names = ["Apple", "apple", " apple", "pear", "zéro", "ze\u0301ro"]
    assert class_names.alike(names) == [
        "the classes 'Apple' and 'apple' and ' apple' differ by case or blanks alone: are they one?",
        "the classes 'zéro' and 'ze\u0301ro' differ by case or blanks alone: are they one?",
    ]
    assert class_names.alike(["0", "1"]) == []
