import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_keras.zoo.detection import record as records
from lambda_keras.zoo.detection.anchors import Anchors
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.model import MaskRCNN
from lambda_keras.zoo.detection.record import DetectorRecord
from lambda_keras.zoo.detection.retinanet import RetinaNet
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record

NORMALISATION = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
NAMES = ("猫", "dog $x$", "owl")


def make(network, **changes):
    categories = tuple(Category(3 * number + 1, name) for number, name in enumerate(NAMES))
    return DetectorRecord(network, **{"categories": categories, **NORMALISATION, **changes})


@pytest.fixture(params=["mask_rcnn", "retinanet"])
def record_of_kind(request):
    if request.param == "mask_rcnn":
        return make(MaskRCNN("lambda_resnet50", 3, 128, overrides={"scope_size": 7, "stem": "vanilla"}, masks=False))
    return make(RetinaNet("resnet50", 3, 1024, anchors=Anchors((3, 4, 5, 6), 2, 4.5, (0.5, 2.0)), detections=7))


def changed(record, path, change):
    """Writes the record with a change of what is in the file."""
    record.write(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_what_is_written_is_read(record_of_kind, tmp_path):
    record_of_kind.write(tmp_path / "record.json")
    assert DetectorRecord.read(tmp_path / "record.json") == record_of_kind
    assert "猫" in (tmp_path / "record.json").read_text(encoding="utf-8")


@given(
    st.builds(
        MaskRCNN,
        st.just("lambda_resnet50"),
        st.just(3),
        st.integers(1, 64).map(lambda number: 64 * number),
        masks=st.booleans(),
        candidates=st.integers(1, 10**5),
        proposals=st.integers(1, 10**5),
        detections=st.integers(1, 10**4),
        channels=st.integers(1, 2**14),
    )
)
def test_all_networks_within_the_bounds_are_read_as_they_were_written(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("records") / "record.json"
    make(network).write(path)
    assert DetectorRecord.read(path) == make(network)


@pytest.mark.parametrize(("config", "file"), [(MaskRCNN, records._MaskRCNN), (RetinaNet, records._RetinaNet)])
def test_the_file_has_every_field_of_a_network(config, file):
    fields = {field.name for field in dataclasses.fields(config)}
    assert file.model_fields.keys() == fields - {"classes", "image_size"} | {"kind"}


def test_a_backbone_of_ones_own_is_written_by_its_name(config, small_detector, tmp_path):
    network = dataclasses.replace(config, backbone=small_detector[0].get_layer("backbone"), overrides={})
    make(network).write(tmp_path / "record.json")
    assert DetectorRecord.read(tmp_path / "record.json").network.backbone == "backbone"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.update(colour="red"), "unknown key colour"),
        (lambda file: file.pop("mean"), "mean is missing"),
        (lambda file: file.update(mean=[0.1, 0.2]), "mean"),
        (lambda file: file.update(std=[0.1, 0.2, 0]), "std.2 must be greater than 0, got 0"),
        (lambda file: file.update(std=[0.1, 0.2, float("nan")]), "std.2"),
        (lambda file: file.update(image_size=100), "image_size must be a multiple of 64, got 100"),
        (lambda file: file.update(image_size=2**40), "image_size must be less than or equal to 4096"),
        (lambda file: file.update(image_size="64"), "image_size must be a valid integer, got '64'"),
        (lambda file: file["network"].update(kind="yolo"), "'mask_rcnn', 'retinanet'"),
        (lambda file: file["network"].update(proposals=10**9), "proposals must be less than or equal to 100000"),
        (lambda file: file["network"].update(channels=0), "channels must be greater than or equal to 1"),
        (lambda file: file["network"]["anchors"].update(levels=[2, 4, 5]), "numbers without gaps"),
        (lambda file: file["network"]["anchors"].update(aspect_ratios=[]), "at least 1 item"),
        (lambda file: file.update(categories=[]), "categories"),
        (lambda file: file["categories"].append({"id": 1, "name": "again"}), "1 is given twice"),
        (lambda file: file["categories"][0].update(name="two\nlines"), "one line without control characters"),
    ],
)
def test_a_damaged_record_is_refused_in_a_line(record, change, message, tmp_path):
    path = changed(record, tmp_path / "record.json", lambda file: None)
    content = json.loads(path.read_text())
    content["categories"] = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "owl"}]
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        DetectorRecord.read(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 10**5, '{"model": "lambda_resnet50"}', "null", "\x00"])
def test_what_is_no_record_is_refused(content, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(UserError, match="record"):
        DetectorRecord.read(path)


def test_a_record_that_is_missing_or_too_large_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        DetectorRecord.read(tmp_path / "record.json")
    with (tmp_path / "record.json").open("wb") as file:
        file.truncate(records.LARGEST_RECORD + 1)
    with pytest.raises(UserError, match="more than 10,000,000 bytes"):
        DetectorRecord.read(tmp_path / "record.json")


def test_a_network_of_another_number_of_classes_is_refused(config):
    with pytest.raises(UserError, match="the network has 4 classes, and there are 3 categories"):
        make(dataclasses.replace(config, classes=4))


def test_a_command_for_classifiers_says_what_a_detector_is_for(record_of_kind, tmp_path):
    record_of_kind.write(tmp_path / "record.json")
    with pytest.raises(UserError, match="is the record of a detector, not of a classifier"):
        Record.read(tmp_path / "record.json")
