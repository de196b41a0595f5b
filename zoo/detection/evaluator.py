"""Average precision of boxes and masks as COCO defines it, computed by COCO's own tools; and files of results.

Results are lists of dictionaries in COCO's format (https://cocodataset.org/#format-results): `image_id`, `category_id`
as in the file of the data, `score`, and `bbox` or `segmentation`. A list has either boxes or masks: where an entry has
both, COCO's tools take the area of a mask to be that of its box, and sort it among the wrong sizes.

`pycocotools` is called directly, not by tf-models-official's evaluator: that one counts a found box by the area of its
mask where there are both, and does not hand out the results that are written here.
"""

import contextlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.detection.data.json_file import field, is_kind, read_json
from lambda_keras.zoo.detection.data.masks import encode, paste
from lambda_keras.zoo.detection.data.parts import Category, Part
from lambda_keras.zoo.errors import UserError, shown, writing

Kind = Literal["boxes", "masks"]


class Figures(NamedTuple):
    """Average precisions between 0 and 1; `None` where there is no object to find.

    Attributes:
        ap: The mean over overlaps (IoU) of 0.5, 0.55, … 0.95.
        ap50: At an overlap of 0.5.
        ap75: At an overlap of 0.75.
        ap_small: `ap` of objects of less than 32² pixels.
        ap_medium: `ap` of objects of 32² to 96² pixels.
        ap_large: `ap` of larger objects.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None


def ground_truth(part: Part) -> dict[str, Any]:
    """Collects the objects of a part as COCO's tools take them. Files of pictures are not read.

    Args:
        part: A `lambda_keras.zoo.detection.data.parts.Part`.

    Returns:
        What a COCO file of objects has: `images`, `annotations`, numbered from 1, and `categories`.

    Raises:
        UserError: Shards have a picture that is too large, an unknown class, or a mask that is none.
    """
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for picture in part.split.labels().as_numpy_iterator():
        height, width = picture.size.tolist()
        _check_picture(picture, part)
        images.append({"id": int(picture.image_id), "height": height, "width": width})
        for row, box in enumerate(picture.coco_boxes.tolist()):
            entry = {
                "id": len(objects) + 1,
                "image_id": int(picture.image_id),
                "category_id": part.categories[picture.classes[row] - 1].id,
                "bbox": box,
                "area": float(picture.areas[row]),
                "iscrowd": int(picture.is_crowd[row]),
            }
            if part.has_masks:
                entry["segmentation"] = _run_lengths(picture.counts[row], height, width)
            objects.append(entry)
    categories = [category._asdict() for category in part.categories]
    return {"images": images, "annotations": objects, "categories": categories}


def box_results(
    image_id: int, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray, categories: Sequence[Category]
) -> list[dict[str, Any]]:
    """Writes the boxes found in a picture as COCO does.

    Args:
        image_id: Its number.
        boxes: `[detections, 4]`: ymin, xmin, ymax and xmax in pixels of the picture.
        classes: Integers `[detections]`, from 1.
        scores: `[detections]`.
        categories: Those of the data, in the order of their classes.

    Returns:
        A dictionary for each.
    """
    results = _results(image_id, classes, scores, categories)
    for result, (ymin, xmin, ymax, xmax) in zip(results, np.asarray(boxes).tolist(), strict=True):
        result["bbox"] = [xmin, ymin, xmax - xmin, ymax - ymin]
    return results


def mask_results(
    image_id: int,
    size: tuple[int, int],
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray,
    masks: np.ndarray,
    categories: Sequence[Category],
) -> list[dict[str, Any]]:
    """Writes the masks found in a picture as COCO does, in the pixels of the picture.

    Args:
        image_id: Its number.
        size: Height and width of the picture in pixels.
        boxes: As for `box_results`.
        classes: As for `box_results`.
        scores: As for `box_results`.
        masks: `[detections, rows, columns]`: for each cell of the box, the probability that it is of the object.
        categories: As for `box_results`.

    Returns:
        A dictionary for each.
    """
    results = _results(image_id, classes, scores, categories)
    height, width = map(int, size)
    for result, box, mask in zip(results, boxes, masks, strict=True):
        result["segmentation"] = _run_lengths(paste(mask, box, height, width), height, width)
    return results


def write_results(results: list[dict[str, Any]], path: str | Path) -> None:
    """Writes results to a JSON file that COCO's tools and server take.

    Args:
        results: From `box_results` or `mask_results`, of all pictures.
        path: The file.

    Raises:
        UserError: It cannot be written.
    """
    with writing(path), replacing(path) as partial:
        partial.write_text(json.dumps(results), encoding="utf-8")


def read_results(path: str | Path, kind: Kind) -> list[dict[str, Any]]:
    """Reads results, from whatever detector.

    Args:
        path: The JSON file.
        kind: Whether they are to have boxes or masks.

    Returns:
        The list.

    Raises:
        UserError: There is no such file, or it has no results of this kind.
    """
    results = read_json(path)
    if not isinstance(results, list):
        raise UserError(f"{path} is no list of results in COCO's format")
    for number, result in enumerate(results):
        where = f"{path}: result {number}"
        for name, value in (("image_id", int), ("category_id", int), ("score", float)):
            field(result, name, value, where)
        if kind == "boxes":
            box = field(result, "bbox", list, where)
            if len(box) != 4 or not all(is_kind(value, float) for value in box):
                raise UserError(f"{where}: bbox must be four numbers, x, y, width and height, got {shown(box)}")
        else:
            _check_mask(field(result, "segmentation", dict, where), where)
    return results


def evaluate(
    truth: dict[str, Any], results: list[dict[str, Any]], kind: Kind, image_ids: Iterable[int] | None = None
) -> Figures:
    """Compares what was found with what is there.

    Args:
        truth: From `ground_truth`.
        results: From `box_results` or `mask_results`, of all pictures; at most 100 of each picture count.
        kind: Whether boxes or masks are compared.
        image_ids: The pictures that were looked at; by default all. What could not be read is left out by it.

    Returns:
        The `Figures`.

    Raises:
        UserError: There are results for a picture that the data do not have, or masks are compared and there are none.
    """
    known = {image["id"] for image in truth["images"]}
    if unknown := {result["image_id"] for result in results} - known:
        raise UserError(
            f"the data have no picture {min(unknown)}, which there are results for; give the data that they are of"
        )
    if kind == "masks" and any("segmentation" not in entry for entry in truth["annotations"]):
        raise UserError("the data have no masks; compare boxes alone")
    shared = {"images": truth["images"], "categories": truth["categories"]}
    # COCO's tools print what they do, and write into what they are given.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            _coco({**shared, "annotations": [dict(entry) for entry in truth["annotations"]]}),
            _coco({**shared, "annotations": _numbered(results, kind)}),
            {"boxes": "bbox", "masks": "segm"}[kind],
        )
        evaluation.params.imgIds = sorted(known if image_ids is None else known & set(image_ids))
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # -1 stands for none.
    return Figures(*(float(value) if value >= 0 else None for value in evaluation.stats[:6]))


def _results(image_id, classes, scores, categories):
    return [
        {"image_id": int(image_id), "category_id": categories[int(label) - 1].id, "score": float(score)}
        for label, score in zip(classes, scores, strict=True)
    ]


def _run_lengths(counts, height, width):
    return {"size": [height, width], "counts": counts.decode("ascii")}


def _check_picture(picture, part):
    """Shards may be anybody's, and COCO's tools write where a mask leads them, whatever its size."""
    where = f"picture {picture.image_id} of the data"
    height, width = picture.size.tolist()
    if height < 1 or width < 1 or height * width > MOST_PIXELS:
        raise UserError(f"{where} must have 1 to {MOST_PIXELS:,} pixels, got {width}x{height}; write the shards anew")
    if picture.classes.size and not 1 <= picture.classes.min() <= picture.classes.max() <= len(part.categories):
        raise UserError(f"{where} has an object of none of the {len(part.categories)} classes; write the shards anew")
    if part.has_masks:
        for counts in picture.counts:
            # The text of a damaged file may not be ASCII.
            _check_mask({"size": [height, width], "counts": counts.decode("latin-1")}, where)


def _check_mask(segmentation, where):
    size = segmentation.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(is_kind(side, int) and side > 0 for side in size):
        raise UserError(f"{where}: size must be height and width, got {shown(size)}")
    if size[0] * size[1] > MOST_PIXELS:
        raise UserError(f"{where}: a mask has at most {MOST_PIXELS:,} pixels, got {shown(size)}")
    try:
        encode(segmentation, *size)
    except ValueError as error:
        raise UserError(f"{where}: no mask of this size ({error})") from error


def _coco(dataset):
    coco = COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _numbered(results, kind):
    """Results with what COCO's tools add when they read a file (`COCO.loadRes`), which cannot be empty there."""
    numbered = []
    for number, result in enumerate(results, 1):
        entry = {key: result[key] for key in ("image_id", "category_id", "score")}
        if kind == "boxes":
            entry |= {"bbox": result["bbox"], "area": result["bbox"][2] * result["bbox"][3]}
        else:
            entry |= {"segmentation": result["segmentation"], "area": float(coco_masks.area(result["segmentation"]))}
        numbered.append({**entry, "id": number, "iscrowd": 0})
    return numbered
