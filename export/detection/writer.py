"""Write a detector as a numbered version in a folder that a model server watches."""

from pathlib import Path

from lambda_keras.export.detection.signatures import ServedDetector
from lambda_keras.export.saved_model.description import hash_of_file, write_description, written_with
from lambda_keras.export.saved_model.writer import write_version
from lambda_keras.zoo.data.limits import MOST_SERVED_PIXELS
from lambda_keras.zoo.detection.loading import Detector


def export_saved_model(detector: Detector, folder: Path, most_pixels: int = MOST_SERVED_PIXELS) -> Path:
    """Writes a detector as the next version in `folder`, with a `model.json` that says what it is.

    Args:
        detector: A `lambda_keras.zoo.detection.loading.Detector`.
        folder: The folder of the versions; made if it is missing.
        most_pixels: How many pixels a file of `detect_bytes` may have.

    Returns:
        The new version's folder: `folder/<number>`, one above the highest that is there.

    Raises:
        UserError: `folder` has wildcards in its path or cannot be written to, the disk is full, or the name of a class
            has a line break.

    Example:
        >>> export_saved_model(load("runs/stamps"), Path("served/stamps"))  # doctest: +SKIP
        PosixPath('served/stamps/1')
    """

    def write(place):
        ServedDetector(detector, most_pixels).save(place)
        write_description(place, _describe(detector))

    return write_version(folder, write)


def _describe(detector):
    record = detector.record
    return {
        "name": detector.model.name,
        "weights": {"source": detector.name, "sha256": hash_of_file(Path(detector.name))},
        "detector": {"image_size": detector.image_size, "mean": list(record.mean), "std": list(record.std)},
        "categories": [category._asdict() for category in record.categories],
        **written_with(),
    }
