"""`lambda-zoo detect predict`: pictures in; their objects drawn on them and in COCO's format out."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from lambda_keras.atomic import replacing
from lambda_keras.zoo.command_line import narrate, print_table, progress_bar, say
from lambda_keras.zoo.data.images import image_bytes
from lambda_keras.zoo.data.images.decoding import decode
from lambda_keras.zoo.data.images.image_bytes import ImageFileError
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.detection import drawing
from lambda_keras.zoo.detection.data import pictures
from lambda_keras.zoo.detection.evaluator import write_results
from lambda_keras.zoo.detection.found import FILES, Found, add_results, no_results
from lambda_keras.zoo.detection.loading import Detector, load
from lambda_keras.zoo.errors import UserError, writing_to

PICTURES = "pictures.json"
# Objects of a lower score are not drawn.
LOWEST_SCORE = 0.5


class Predictor:
    """A detector that finds the objects of files, one after the other.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
    """

    def __init__(self, detector: Detector):
        self._detector = detector
        self._read = tf.function(pictures.read, autograph=False)
        self._find = tf.function(detector.find, autograph=False)

    def find(self, encoded: bytes, name: str | Path, most_pixels: int = MOST_PIXELS) -> Found:
        """Finds the objects of one picture.

        Args:
            encoded: The bytes of a JPEG, PNG, BMP, GIF or WebP file; of an animation, the first frame counts.
            name: What to call it in messages.
            most_pixels: How many pixels it may have.

        Returns:
            What was `Found`, in pixels of the upright picture.

        Raises:
            lambda_keras.zoo.data.images.image_bytes.ImageFileError: It cannot be decoded.
        """
        try:
            image, size = self._read(tf.constant(encoded), self._detector.image_size, most_pixels)
        except tf.errors.InvalidArgumentError as error:
            raise image_bytes.undecodable(name, error) from error
        found = self._find(image[tf.newaxis], size[tf.newaxis])
        return Found.of(found, 0, size.numpy())


def predict(
    source: str | Path,
    files: Sequence[str | Path],
    out: str | Path,
    lowest_score: float = LOWEST_SCORE,
    most_pixels: int = MOST_PIXELS,
) -> int:
    """Finds the objects of pictures, prints them and writes them to a folder; what cannot be read is left out.

    For each picture the folder gets `<number>_<name>.png`, with boxes, masks, names and scores. `boxes.json` and, of a
    detector with masks, `masks.json` have all that was found as COCO's results; `pictures.json` has the pictures with
    their numbers, and the categories, as COCO's files of objects. A picture that EXIF data say to turn is turned first.

    Args:
        source: A run folder or a file, as `lambda_keras.zoo.detection.loading.load` takes it.
        files: Paths of JPEG, PNG, BMP, GIF or WebP files, such as `lambda_keras.zoo.data.files.image_files.find`
            returns; of an animation, the first frame counts.
        out: The folder to write.
        lowest_score: Objects of a lower score are neither printed nor drawn, 0 to 1.
        most_pixels: How many pixels an image file may have.

    Returns:
        How many pictures could not be read.

    Raises:
        UserError: The detector or its record is missing or damaged, or the folder cannot be written.
    """
    if not 0 <= lowest_score <= 1:
        raise UserError(f"--score must be 0 to 1, got {lowest_score}")
    detector = load(source)
    categories = detector.record.categories
    predictor, out = Predictor(detector), Path(out)
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
    results = no_results(detector.record.has_masks)
    images: list[dict[str, Any]] = []
    rows: list[tuple[str, str, str, str]] = []
    for number, file in enumerate(progress_bar(files, unit="picture"), 1):
        try:
            encoded = image_bytes.read(file, most_pixels)
            found = predictor.find(encoded, file, most_pixels)
        except ImageFileError as problem:
            say(str(problem), file=sys.stderr)
            rows.append((str(file), "(cannot be read)", "", ""))
            continue
        height, width = found.size
        images.append({"id": number, "file_name": str(file), "height": height, "width": width})
        of_picture = found.results(number, categories)
        add_results(results, of_picture)
        objects = _drawn(found, of_picture.get("masks"), detector.record.class_names, lowest_score)
        rows += _rows(file, found, detector.record.class_names, lowest_score)
        picture = drawing.draw(decode(encoded, pictures.CHANNELS, most_pixels).numpy(), objects)
        with writing_to(out), replacing(out / f"{number}_{Path(file).stem}.png") as partial:
            picture.save(partial, "PNG")
    with writing_to(out):
        for kind, entries in results.items():
            write_results(entries, out / FILES[kind])
        with replacing(out / PICTURES) as partial:
            content = {"images": images, "annotations": [], "categories": [entry._asdict() for entry in categories]}
            partial.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    print_table(("picture", "object", "score", "x, y, width, height"), rows, right=(2,))
    narrate(f"Wrote {out}")
    return len(files) - len(images)


def _drawn(found, segments, names, lowest_score):
    """What is drawn of one picture; segments are `None` where there are no masks."""
    objects: list[drawing.Drawn] = []
    rows = zip(found.boxes, found.classes, found.scores, segments or [None] * len(found.scores), strict=True)
    for box, label, score, segment in rows:
        if score >= lowest_score:
            mask = None if segment is None else segment["segmentation"]
            objects.append(drawing.Drawn(box, f"{names[label - 1]} {score:.0%}", int(label), mask))
    return objects


def _rows(file, found, names, lowest_score):
    rows: list[tuple[str, str, str, str]] = []
    for (ymin, xmin, ymax, xmax), label, score in zip(found.boxes, found.classes, found.scores, strict=True):
        if score >= lowest_score:
            place = f"{xmin:.0f}, {ymin:.0f}, {xmax - xmin:.0f}, {ymax - ymin:.0f}"
            rows.append(("" if rows else str(file), names[label - 1], f"{score:.1%}", place))
    return rows or [(str(file), "none", "", "")]
