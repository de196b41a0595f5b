import copy
import json
import pathlib

import pytest

import lambda_keras as lk
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.row import parse

ROWS = json.loads(pathlib.Path(lk.weights.__file__).with_name("catalog.json").read_text("utf-8"))
ROWS = {f"{row['model']}.{row['tag']}": row for row in ROWS}
TIMM, RESNET_RS = "lambda_resnet50ts.a1h_in1k", "resnet_rs50.i160"


def changed(name, changes):
    row = copy.deepcopy(ROWS[name])
    row.update(changes)
    return row


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "Lambda ResNet"),
        ("tag", ""),
        ("format", "pickle"),
        ("repository", "lambda_resnet50ts"),
        ("revision", 1),
        ("file", "../model.safetensors"),
        ("file", ""),
        ("urls", "https://example.com/model.safetensors"),
        ("urls", ["http://example.com/model.safetensors"]),
        ("sha256", "bcb80eaa"),
        ("sha256", "g" * 64),
        ("sha256", "A" * 64),
        ("md5", "0" * 64),
        ("hash_source", None),
        ("bytes", 1.5),
        ("bytes", 0),
        ("bytes", True),
        ("published_size", 86.4),
        ("license", " "),
        ("source", "timm"),
        ("source", "../card.md"),
        ("dataset", None),
        ("classes", "1000"),
        ("class_names", "cat, dog"),
        ("channels", 0),
        ("image_size", None),
        ("fixed_image_size", "no"),
        ("evaluation_crop", 95),
        ("evaluation_crop", float("nan")),
        ("interpolation", "lanczos"),
        ("mean", [0.5, 0.5, 128]),
        ("mean", 0.5),
        ("std", [0, 1, 1]),
        ("metrics", None),
        ("metrics", ["81.184"]),
    ],
)
def test_a_malformed_field_is_named(field, value):
    with pytest.raises(WeightsError, match=rf"catalog row .*: `{field}` must be .* Received: "):
        parse([changed(TIMM, {field: value})])


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        (TIMM, {"urls": ["https://example.com/model.safetensors"]}, "`repository` and `urls` exclude each other"),
        (RESNET_RS, {"urls": []}, "a file that came with this package needs `sha256`"),
        (TIMM, {"class_names": ["cat", "dog"]}, "`class_names` needs one name for each of `classes`"),
        (RESNET_RS, {"md5": None}, "a file of plain URLs needs `sha256` or `md5`"),
        (TIMM, {"mean": [0.5]}, "`mean` and `std` need one value for each of `channels`"),
        (TIMM, {"evaluation_crop": None}, "weights of a model need `evaluation_crop` and `interpolation`"),
        (TIMM, {"file": "pytorch_model.bin"}, "is a pickle"),
        (TIMM, {"crop_pct": 0.95}, r"fields missing: \[\], unknown: \['crop_pct'\]"),
    ],
)
def test_a_row_that_contradicts_itself(name, changes, expected):
    with pytest.raises(WeightsError, match=f"catalog row {name}: .*{expected}"):
        parse([changed(name, changes)])


@pytest.mark.parametrize("field", ROWS[TIMM])
def test_no_field_may_be_missing(field):
    row = {key: value for key, value in ROWS[TIMM].items() if key != field}
    with pytest.raises(WeightsError, match=rf"fields missing: \['{field}'\], unknown: \[\]"):
        parse([row])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"source": None}, "`source` must be an https URL"),
        ({"source": "timm"}, "`source` must be an https URL"),
        ({"evaluation_set": ""}, "`evaluation_set` must be a text"),
        ({"value": 811.84}, "`value` must be a number above 0 and up to 100"),
        ({"image_size": None}, "`image_size` must be a positive whole number"),
        ({"rank": 1}, r"unknown: \['rank'\]"),
    ],
)
def test_no_metric_without_its_source(change, expected):
    metric = {**ROWS[TIMM]["metrics"][0], **change}
    with pytest.raises(WeightsError, match=f"catalog row {TIMM}, metric top1: .*{expected}"):
        parse([changed(TIMM, {"metrics": [metric]})])


def test_no_two_rows_of_one_name():
    with pytest.raises(WeightsError, match=f"catalog row {TIMM}: there are 2 rows of this name"):
        parse([ROWS[TIMM], ROWS[RESNET_RS], ROWS[TIMM]])
