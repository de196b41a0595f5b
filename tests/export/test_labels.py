import dataclasses

import pytest

from lambda_keras.export.labels import check_labels, labels_text
from lambda_keras.export.saved_model.signatures import ServerModel
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.zoo.errors import UserError


@pytest.mark.parametrize("name", ["a\n", "a\nb", "\n", "a\r", "a\u2028b", "\x1b[31m"])
def test_a_line_break_is_refused(name):
    with pytest.raises(UserError, match=r"the name '.*\\.*' has a line break or another control character; rename it"):
        check_labels(["b", name])


def test_each_label_is_a_line():
    names = ["a b", "", " ", "zéro"]
    check_labels(names)
    assert labels_text(names).splitlines() == names


def test_both_exports_check_them(plain_model, record, tmp_path):
    broken = dataclasses.replace(record, class_names=("a\n", "b", "c"))
    with pytest.raises(UserError, match="has a line break"):
        ServerModel(plain_model, broken)
    with pytest.raises(UserError, match="has a line break"):
        export_tflite(plain_model, tmp_path / "model.tflite", record=broken)
    assert list(tmp_path.iterdir()) == []
