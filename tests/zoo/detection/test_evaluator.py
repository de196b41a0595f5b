import dataclasses
import json
import types

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.errors import UserError
from tests.zoo.detection.conftest import HEIGHT, WIDTH

CATEGORIES = (Category(3, "cat"), Category(7, "dog"), Category(90, "owl"))


def as_results(truth, key):
    """The objects themselves, found with certainty."""
    return [{name: entry[name] for name in ("image_id", "category_id", key)} | {"score": 1.0} for entry in truth]


def boxes_of(*entries):
    """Data with one category and boxes at places of one picture."""
    annotations = [
        {"id": number, "image_id": 1, "category_id": 3, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for number, box in enumerate(entries, 1)
    ]
    images = [{"id": 1, "height": 500, "width": 500}, {"id": 2, "height": 500, "width": 500}]
    return {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "cat"}]}


def found(*boxes, image_id=1):
    """Results with scores that fall from the first to the last."""
    return [
        {"image_id": image_id, "category_id": 3, "score": 1 - number / 10, "bbox": box}
        for number, box in enumerate(boxes)
    ]


def test_the_ground_truth_is_the_file(load_coco, content):
    truth = evaluator.ground_truth(load_coco())
    kept = ("image_id", "category_id", "bbox", "area", "iscrowd")
    by_image = sorted(content["annotations"], key=lambda entry: [30, 11, 2].index(entry["image_id"]))
    assert [{key: entry[key] for key in kept} for entry in truth["annotations"]] == [
        {key: entry[key] for key in kept} for entry in by_image
    ]
    assert [entry["id"] for entry in truth["annotations"]] == [1, 2, 3]
    assert truth["categories"] == sorted(content["categories"], key=lambda category: category["id"])
    assert [image["id"] for image in truth["images"]] == [30, 11, 2]


def test_the_ground_truth_needs_no_file_of_a_picture(load_coco, tmp_path):
    part = load_coco()
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    assert len(evaluator.ground_truth(part)["images"]) == 3


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("size", lambda size: size * 0 + 100_000, "must have 1 to .* pixels, got 100000x100000"),
        ("classes", lambda classes: classes + 3, "an object of none of the 3 classes"),
        ("classes", lambda classes: classes * 0, "an object of none of the 3 classes"),
        ("counts", lambda counts: counts + b"P", "last number is cut off"),
        ("counts", lambda counts: b"\xe9" + counts, "no mask of this size"),
    ],
)
def test_what_shards_of_others_may_have_is_one_line(load_coco, column, change, message):
    part = load_coco()

    def changed(annotations):
        return annotations._replace(**{column: change(getattr(annotations, column))})

    split = types.SimpleNamespace(labels=lambda: part.split.labels().map(changed))
    with pytest.raises(UserError, match=message):
        evaluator.ground_truth(dataclasses.replace(part, split=split))


@pytest.mark.parametrize(("kind", "key"), [("boxes", "bbox"), ("masks", "segmentation")])
def test_what_is_there_found_has_precision_one(load_coco, kind, key, capsys):
    truth = evaluator.ground_truth(load_coco())
    results = as_results([entry for entry in truth["annotations"] if not entry["iscrowd"]], key)
    figures = evaluator.evaluate(truth, results, kind)
    assert figures[:4] == pytest.approx([1] * 4)
    assert figures[4:] == (None, None), "both objects are small, and a crowd need not be found"
    assert capsys.readouterr() == ("", "")


def test_average_precision_by_hand():
    """Found, nothing, found: precision 1 up to recall 0.5, that is at 51 of COCO's 101 recalls, then 2/3."""
    truth = boxes_of([0, 0, 50, 50], [100, 100, 200, 200])
    figures = evaluator.evaluate(truth, found([0, 0, 50, 50], [300, 0, 50, 50], [100, 100, 200, 200]), "boxes")
    assert figures[:3] == pytest.approx([(51 + 50 * 2 / 3) / 101] * 3)
    assert figures.ap_small is None
    # What is found of other sizes counts for neither.
    assert figures.ap_medium == pytest.approx(1)
    assert figures.ap_large == pytest.approx(1)


def test_an_overlap_of_0_62_counts_at_three_of_ten_overlaps():
    figures = evaluator.evaluate(boxes_of([0, 0, 100, 100]), found([0, 0, 62, 100]), "boxes")
    assert figures.ap == pytest.approx(0.3)
    assert (figures.ap50, figures.ap75) == pytest.approx((1, 0))


def test_nothing_found_is_zero_and_nothing_there_is_none():
    assert evaluator.evaluate(boxes_of([0, 0, 50, 50]), [], "boxes") == (0, 0, 0, None, 0, None)
    assert evaluator.evaluate(boxes_of(), found([0, 0, 50, 50]), "boxes") == (None,) * 6


def test_pictures_that_were_not_looked_at_do_not_count():
    truth = boxes_of([0, 0, 50, 50])
    truth["annotations"].append({**truth["annotations"][0], "id": 2, "image_id": 2})
    results = found([0, 0, 50, 50])
    assert evaluator.evaluate(truth, results, "boxes").ap50 == pytest.approx(51 / 101)
    assert evaluator.evaluate(truth, results, "boxes", image_ids=[1]).ap50 == pytest.approx(1)


def test_files_of_results_give_the_same_in_cocos_own_tools(load_coco, write_coco, tmp_path, capsys):
    truth = evaluator.ground_truth(load_coco())
    generator = np.random.default_rng(0)
    box_results, mask_results = [], []
    for image_id in (30, 11):
        entries = [entry for entry in truth["annotations"] if entry["image_id"] == image_id] * 4
        x, y, width, height = np.array([entry["bbox"] for entry in entries]).T
        boxes = np.stack([y, x, y + height, x + width], axis=1) + generator.normal(0, 1, (len(entries), 4))
        ids = [category.id for category in CATEGORIES]
        classes = [ids.index(entry["category_id"]) + 1 for entry in entries]
        scores = generator.random(len(entries))
        masks = generator.uniform(0.4, 1, (len(entries), 28, 28))
        box_results += evaluator.box_results(image_id, boxes, classes, scores, CATEGORIES)
        mask_results += evaluator.mask_results(image_id, (HEIGHT, WIDTH), boxes, classes, scores, masks, CATEGORIES)
    coco = COCO(str(write_coco()[0]))
    for kind, name, results in (("boxes", "bbox", box_results), ("masks", "segm", mask_results)):
        file = tmp_path / f"{kind}.json"
        evaluator.write_results(results, file)
        own = COCOeval(coco, coco.loadRes(str(file)), name)
        own.evaluate()
        own.accumulate()
        own.summarize()
        figures = evaluator.evaluate(truth, evaluator.read_results(file, kind), kind)
        assert [-1 if figure is None else figure for figure in figures] == own.stats[:6].tolist()
        assert 0 < figures.ap < 1


def test_a_box_is_written_as_coco_does():
    (result,) = evaluator.box_results(5, np.float32([[1, 2, 4, 8]]), [2], np.float32([0.5]), CATEGORIES)
    assert result == {"image_id": 5, "category_id": 7, "score": 0.5, "bbox": [2, 1, 6, 3]}


def test_results_of_other_data_are_refused():
    with pytest.raises(UserError, match="the data have no picture 9"):
        evaluator.evaluate(boxes_of(), found([0, 0, 1, 1], image_id=9), "boxes")
    with pytest.raises(UserError, match="the data have no masks"):
        evaluator.evaluate(boxes_of([0, 0, 5, 5]), [], "masks")


MASK = {"size": [2, 2], "counts": "04"}


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("boxes", {"bbox": [1, 2, 3]}, "bbox must be four numbers"),
        ("boxes", {"bbox": None}, "bbox must be a list"),
        ("boxes", {"score": "high"}, "score must be a number"),
        ("boxes", {"image_id": 1.5}, "image_id must be a whole number"),
        ("masks", {}, "result 0 has no segmentation"),
        ("masks", {"segmentation": {**MASK, "size": [2]}}, "size must be height and width"),
        ("masks", {"segmentation": {**MASK, "size": [10**6, 10**6]}}, "a mask has at most 178,956,970 pixels"),
        ("masks", {"segmentation": {**MASK, "counts": "PPYYYY1000"}}, "no mask of this size"),
    ],
)
def test_a_file_of_something_else_is_one_line(tmp_path, kind, changes, message):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"image_id": 1, "category_id": 3, "score": 1, "bbox": [0, 0, 1, 1]} | changes]))
    with pytest.raises(UserError, match=message):
        evaluator.read_results(path, kind)
    path.write_text("{}")
    with pytest.raises(UserError, match="is no list of results"):
        evaluator.read_results(path, kind)
