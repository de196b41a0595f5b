import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from lambda_keras.zoo.detection.data import coco_json
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.errors import UserError
from tests.zoo.detection.conftest import HEIGHT, WIDTH, decode


def pictures(part):
    """`{image id: (bytes of the file, annotations)}` in order."""
    return {int(row.image_id): (encoded, row) for encoded, row in part.split.ordered().as_numpy_iterator()}


def test_categories_are_numbered_from_one_in_the_order_of_their_ids(load_coco):
    part = load_coco()
    assert part.categories == (Category(3, "cat"), Category(7, "dog"), Category(90, "owl"))
    found = pictures(part)
    assert found[11][1].classes.tolist() == [2, 3]
    assert found[30][1].classes.tolist() == [1]


def test_pictures_stand_in_the_order_of_the_file_with_their_bytes_and_objects(load_coco, content, tmp_path):
    part = load_coco()
    found = pictures(part)
    assert [*found] == [30, 11, 2]
    assert part.split.count == 3
    for image_id, (encoded, row) in found.items():
        assert encoded == (tmp_path / "images" / f"{image_id}.png").read_bytes()
        assert row.size.tolist() == [HEIGHT, WIDTH]
        entries = [entry for entry in content["annotations"] if entry["image_id"] == image_id]
        assert row.coco_boxes.tolist() == [entry["bbox"] for entry in entries]
        assert row.areas.tolist() == [entry["area"] for entry in entries]
        assert row.is_crowd.tolist() == [entry["iscrowd"] == 1 for entry in entries]


def test_masks_of_every_encoding_are_those_of_cocos_tools(load_coco, content, write_coco, capsys):
    found = pictures(load_coco())
    coco = COCO(str(write_coco()[0]))
    for image_id, row in ((image_id, row) for image_id, (_, row) in found.items()):
        entries = [entry for entry in content["annotations"] if entry["image_id"] == image_id]
        for entry, counts in zip(entries, row.counts, strict=True):
            np.testing.assert_array_equal(decode(counts, HEIGHT, WIDTH), coco.annToMask(entry))
    assert [crop == b"" for crop in found[11][1].crops] == [False, True], "a crowd is not trained on"


def test_the_report_counts_what_is_there(load_coco):
    report = load_coco().report
    assert report[:4] == (3, 1, 3, 1)
    assert report.skipped == dict.fromkeys(coco_json.REASONS, 0)
    # Of the picture with two, one is a crowd.
    assert report.lines() == ["3 pictures, 1 without an object", "3 objects, 1 of them crowds, at most 1 in a picture"]


def test_without_masks_none_are_read(load_coco, content):
    for entry in content["annotations"]:
        del entry["segmentation"]
    part = load_coco(content, with_masks=False)
    assert not part.has_masks
    assert pictures(part)[11][1].counts.tolist() == [b"", b""]
    with pytest.raises(UserError, match=r"instances.json has boxes but no masks .*model\.masks=false.*--boxes-only"):
        load_coco(content)


def test_a_file_without_annotations_is_pictures_without_objects(load_coco, content):
    part = load_coco({**content, "annotations": []})
    assert part.report.lines() == ["3 pictures, 3 without an object", "0 objects, 0 of them crowds"]
    assert [row.coco_boxes.shape for _, row in pictures(part).values()] == [(0, 4)] * 3


def test_licences_are_named_once_and_what_has_no_name_is_passed_over(load_coco, content):
    content["licenses"] = [{"name": "GPL-2.0-or-later"}, {"name": "CC-BY"}, {"name": "CC-BY"}, {"name": 3}, {}, "none"]
    assert load_coco(content).licences == ("GPL-2.0-or-later", "CC-BY")
    assert load_coco({**content, "licenses": None}).licences == ()


NAN, FAR = float("nan"), 10**400


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_id": 5}, coco_json.UNKNOWN_PICTURE),
        ({"category_id": 4}, coco_json.UNKNOWN_CATEGORY),
        ({"bbox": [4, 6, 0, 10]}, coco_json.DEGENERATE),
        ({"bbox": [4, 6, 20, -1]}, coco_json.DEGENERATE),
        ({"bbox": [4, 6, NAN, 10]}, coco_json.DEGENERATE),
        ({"bbox": [4, 6, 1, FAR]}, coco_json.DEGENERATE),
        ({"bbox": [60, 6, 5, 5]}, coco_json.OUTSIDE),
        ({"bbox": [4, -9, 5, 9]}, coco_json.OUTSIDE),
        ({"segmentation": []}, coco_json.NO_MASK),
        ({"segmentation": None}, coco_json.NO_MASK),
        ({"segmentation": [[1, 2, 3, 4]]}, coco_json.NO_MASK),
        ({"segmentation": {"size": [WIDTH, HEIGHT], "counts": [0, WIDTH * HEIGHT]}}, coco_json.NO_MASK),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": "~~~~"}}, coco_json.NO_MASK),
    ],
)
def test_an_annotation_that_cannot_be_used_is_left_out_and_counted(load_coco, content, changes, reason):
    content["annotations"][0] |= changes
    report = load_coco(content).report
    assert {key: count for key, count in report.skipped.items() if count} == {reason: 1}
    assert report.objects == 2
    assert report.lines()[-1] == f"skipped: 1 {reason}"


def test_a_box_that_reaches_out_of_its_picture_stays(load_coco, content):
    content["annotations"][2]["bbox"] = [-3, 30, 20, 50]
    part = load_coco(content)
    assert pictures(part)[30][1].coco_boxes.tolist() == [[-3, 30, 20, 50]]


def test_a_missing_file_is_left_out_with_its_objects(write_coco):
    file, folder = write_coco()
    (folder / "11.png").unlink()
    report = coco_json.load(file, folder, with_masks=True).report
    assert report[:4] == (2, 1, 1, 0)
    assert {key: count for key, count in report.skipped.items() if count} == {coco_json.NO_FILE: 1}


def test_an_object_without_area_and_crowd_flag_has_those_of_its_box(load_coco, content):
    del content["annotations"][0]["area"], content["annotations"][0]["iscrowd"]
    row = pictures(load_coco(content))[11][1]
    assert row.areas[0] == 20.1 * 10.3
    assert not row.is_crowd[0]


def changed(kind, index, **changes):
    def change(content):
        content[kind][index] |= changes

    return change


def without(kind, index, name):
    def change(content):
        del content[kind][index][name]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("categories"), "instances.json has no categories; it must be as in COCO's"),
        (lambda content: content.update(images={}), "images must be a list, got {}"),
        (lambda content: content.update(categories=[]), "has no categories; it must list those of its objects"),
        (without("annotations", 1, "bbox"), r"annotations\[1\] has no bbox; it must be as in COCO's JSON files"),
        (without("images", 0, "width"), r"images\[0\] has no width"),
        (changed("images", 0, id="30"), r"images\[0\]: id must be a whole number, got '30'"),
        (changed("images", 1, id=30), r"images\[1\]: id must be another whole number for each picture, got 30"),
        (changed("images", 1, id=2**70), r"images\[1\]: id must be another whole number"),
        (changed("images", 1, height=0), r"images\[1\]: a picture has 1 to 178,956,970 pixels, got '60x0'"),
        (changed("images", 1, height=10**9), "a picture has 1 to 178,956,970 pixels"),
        (changed("images", 2, file_name="../2.png"), "file_name must be a path inside the folder of pictures"),
        (changed("images", 2, file_name="/etc/passwd"), "file_name must be a path inside the folder of pictures"),
        (changed("categories", 2, id=3), "two categories have the id 3"),
        (changed("categories", 2, name="cat"), "two categories have the name 'cat'"),
        (changed("categories", 2, name="a\nb"), "the name of a class is one line"),
        (changed("categories", 2, id=True), "id must be a whole number, got True"),
        (changed("annotations", 0, bbox=[1, 2, 3]), r"annotations\[0\]: bbox must be four numbers"),
        (changed("annotations", 0, bbox=["1", 2, 3, 4]), "bbox must be four numbers"),
        (changed("annotations", 0, iscrowd=2), "iscrowd must be 0 or 1, got 2"),
        (changed("annotations", 0, area="big"), "area must be a number of pixels, got 'big'"),
        (lambda content: content["annotations"].append(5), r"annotations\[3\] has no image_id"),
    ],
)
def test_what_is_no_coco_file_of_objects_is_one_line(load_coco, content, change, message):
    change(content)
    with pytest.raises(UserError, match=message) as refusal:
        load_coco(content)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON file"),
        ("[" * 100_000, "is no JSON file"),
        ("[1, 2]", "has no images; it must be as in COCO's"),
        (json.dumps({"images": [{"id": 1, "caption": "a dog"}], "annotations": [], "categories": []}), "no categories"),
    ],
)
def test_other_files_are_one_line(load_coco, text, message):
    with pytest.raises(UserError, match=message):
        load_coco(text)


def test_missing_files_and_folders_are_one_line(write_coco, tmp_path):
    file, folder = write_coco()
    with pytest.raises(UserError, match=r"no file .*gone\.json"):
        coco_json.load(tmp_path / "gone.json", folder, with_masks=True)
    with pytest.raises(UserError, match=r"no folder .*gone; give the folder of the pictures"):
        coco_json.load(file, tmp_path / "gone", with_masks=True)
    with pytest.raises(UserError, match="none of the 3 pictures"):
        coco_json.load(file, tmp_path, with_masks=True)
