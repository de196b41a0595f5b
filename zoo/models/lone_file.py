"""`lambda-zoo write-record`: says of a lone `.keras` file how it wants its images, in a `record.json` beside it."""

from collections.abc import Sequence
from pathlib import Path

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo import run_folder
from lambda_keras.zoo.command_line import narrate
from lambda_keras.zoo.data.files.class_names import check_name, numbered
from lambda_keras.zoo.errors import UserError, errors_of_weights, writing
from lambda_keras.zoo.models.classifier import check_record
from lambda_keras.zoo.models.loading import load_classifier
from lambda_keras.zoo.models.record import Record


def write_record(
    file: str | Path,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    image_size: int | None = None,
    class_names: str | Path | None = None,
    overwrite: bool = False,
    **resizing: float | str,
) -> Record:
    """Writes the `record.json` of a model that another program trained.

    Args:
        file: The `.keras` file.
        mean: Mean of each channel on the scale 0 to 1, or one number for all. Without mean and deviation, the model
            normalises its images itself: it gets values from 0 to 255.
        std: Standard deviation of each channel on the same scale, or one number for all.
        image_size: Side of its images in pixels; by default that of the model's input.
        class_names: A text file with the name of a class on each line, in the order of the outputs; by default the
            names are the numbers of the outputs, `0` and so on.
        overwrite: Whether to replace the record that is there.
        **resizing: `evaluation_crop` and `interpolation`, as in `lambda_keras.weights.Preprocessor`.

    Returns:
        The record.

    Raises:
        UserError: There is no such model, it is no image classifier, a value is wrong or does not fit it, or there is a
            record already.

    Example:
        >>> write_record("flowers.keras", mean=[0.5], std=[0.5], class_names="flowers.txt")  # doctest: +SKIP
        Wrote record.json beside flowers.keras: images of 224x224 pixels, 5 classes
    """
    file = Path(file)
    place = file.with_name(run_folder.RECORD)
    if place.exists() and not overwrite:
        raise UserError(f"{place} exists; --overwrite replaces it")
    if (mean is None) != (std is None):
        raise UserError("--mean and --std belong together, got one of them")
    model = load_classifier(file)
    height, width, channels = model.input_shape[1:]
    image_size = image_size or _side(file, height, width)
    with errors_of_weights():
        if mean is None:
            preprocessor = Preprocessor.none(image_size, channels)
        else:
            preprocessor = Preprocessor(image_size, mean=_for_each(mean, channels), std=_for_each(std, channels))
    classes = model.output_shape[-1]
    names = numbered(classes) if class_names is None else _read_names(class_names, classes)
    record = Record(model.name, preprocessor, names).with_preprocessing(**resizing)
    check_record(record, model, str(file))
    with writing(place):
        record.write(place)
    size = record.preprocessor.image_size
    narrate(f"Wrote {place.name} beside {file}: images of {size}x{size} pixels, {classes:,} classes")
    return record


def _side(file, height, width):
    if height is None or height != width:
        raise UserError(f"{file} takes images of {height}x{width} pixels; say with --image-size which squares it gets")
    return height


def _for_each(values, channels):
    return tuple(values) * channels if len(values) == 1 else tuple(values)


def _read_names(path, classes):
    try:
        names = tuple(Path(path).read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8: {error}; write the name of a class on each line") from error
    if len(names) != classes:
        raise UserError(f"{path} has {len(names):,} lines, the model {classes:,} classes; each needs a line")
    for line, name in enumerate(names, start=1):
        check_name(name, f"{path}, line {line}")
    return names
