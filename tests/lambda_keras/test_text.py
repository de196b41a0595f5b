import json
import unicodedata

import pytest

from lambda_keras.text import escaped, is_line

CONTROL = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp", "Cs")]


def test_the_text_of_python_and_of_json_reads_back():
    # By their numbers: a message with half a character could not be printed.
    assert [ord(char) for char in CONTROL if is_line(f"a{char}")] == []
    python = [escaped(f"a{char}") for char in CONTROL]
    assert python == [f"a{char.encode('unicode_escape').decode()}" for char in CONTROL]
    # One by one: two halves that follow each other would be read as one character.
    texts = [escaped(char, form="\\u{:04x}") for char in CONTROL]
    assert [ord(json.loads(f'"{text}"')) for text in texts] == [ord(char) for char in CONTROL]


@pytest.mark.parametrize("char", "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_all_line_breaks_of_python_are_among_them(char):
    assert len(f"a{char}b".splitlines()) == 2
    assert char in CONTROL


def test_what_is_meant_is_kept():
    assert escaped("one\ntwo\x07", keep="\n") == "one\ntwo\\x07"
    assert escaped("süß 👩\u200d🌾") == "süß 👩\u200d🌾"
