"""The objects that were found in one picture, and the same as COCO's results."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.detections import Detections
from lambda_keras.zoo.detection.evaluator import Kind, box_results, mask_results

# A file for the results of each kind.
FILES: dict[Kind, str] = {"boxes": "boxes.json", "masks": "masks.json"}
# Results of COCO's, of many pictures.
Results = dict[Kind, list[dict[str, Any]]]


class Found(NamedTuple):
    """The objects of one picture, best first; arrays.

    Attributes:
        size: Height and width of the picture, upright, in pixels.
        boxes: float32 `[objects, 4]`: ymin, xmin, ymax and xmax in pixels of the picture.
        classes: int32 `[objects]`, from 1.
        scores: float32 `[objects]`, 0 to 1.
        masks: float32 `[objects, 28, 28]`: for each cell of the box the probability that it is of the object; `None`
            of a detector without masks.
    """

    size: tuple[int, int]
    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | None

    @classmethod
    def of(cls, detections: Detections, row: int, size: Sequence[int] | np.ndarray) -> "Found":
        """Takes one picture out of a batch.

        Args:
            detections: Tensors or arrays, the boxes in pixels of the pictures.
            row: Which picture.
            size: Its height and width in pixels.
        """
        height, width = map(int, size)
        boxes, classes, scores = (np.asarray(column[row]) for column in detections[:3])
        is_object = classes > 0
        masks = None if detections.masks is None else np.asarray(detections.masks[row])[is_object]
        return cls((height, width), boxes[is_object], classes[is_object], scores[is_object], masks)

    def results(self, image_id: int, categories: Sequence[Category]) -> Results:
        """The objects as COCO writes them: the boxes, and the masks of a detector with masks.

        Args:
            image_id: The number of the picture.
            categories: Those of the data, in the order of their classes.
        """
        results: Results = {"boxes": box_results(image_id, self.boxes, self.classes, self.scores, categories)}
        if self.masks is not None:
            results["masks"] = mask_results(
                image_id, self.size, self.boxes, self.classes, self.scores, self.masks, categories
            )
        return results


def no_results(with_masks: bool) -> Results:
    """An empty list for each kind of results."""
    return {kind: [] for kind in FILES if with_masks or kind == "boxes"}


def add_results(results: Results, more: Results) -> None:
    """Adds those of a picture to those of others.

    Args:
        results: From `no_results`; changed.
        more: From `Found.results`.
    """
    for kind, entries in more.items():
        results[kind] += entries
