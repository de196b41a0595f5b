"""A row of the catalog of weights, and the checks that it passes when it is read."""

import dataclasses
import re

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.pickles import refuse_pickle
from lambda_keras.weights.preprocessor import INTERPOLATIONS, Preprocessor

# Formats of weights that fit a model of this package as they are, and of those that only fill a part of one.
FORMATS = ("timm", "lambda_keras")
WARM_START_FORMATS = ("resnet_rs",)


@dataclasses.dataclass(frozen=True)
class Metric:
    """A published figure of weights.

    Attributes:
        name: What was measured: `"top1"`, in percent.
        value: The figure.
        evaluation_set: The images on which it was measured.
        image_size: Their side in pixels.
        source: URL of the page that has the figure, or its path in this project.
    """

    name: str
    value: float
    evaluation_set: str
    image_size: int
    source: str


@dataclasses.dataclass(frozen=True)
class WeightsRecord:
    """A row of the catalog: where a file of weights is, how it is verified, and how its model wants images.

    Attributes:
        model: Name of the model in the registry.
        tag: What distinguishes it from other weights of this model.
        format: `"timm"`, `"lambda_keras"` (this package's) or `"resnet_rs"` (Keras' ResNet-RS, for a warm start).
        repository: Repository of the Hugging Face Hub, or `None`.
        revision: Its branch, tag or commit, or `None`.
        file: Name of the file.
        urls: Plain URLs of the file, the main one first. With neither these nor `repository` this package has the file.
        sha256: Hash of the file, or `None`.
        md5: Hash of the file, or `None`.
        hash_source: Where the hash is from, or what stands in for it.
        bytes: Size of the file, or `None` if it is not known to the byte.
        published_size: Size as its source states it, or `None`.
        license: SPDX identifier.
        source: URL of the page about the weights, or the path of their card in this project.
        dataset: Name of the dataset of the training.
        classes: Number of classes.
        class_names: The name of each class in order; `None` for ImageNet, whose names have a file of their own.
        channels: Number of channels of the images.
        image_size: Side of the images of the evaluation, in pixels.
        fixed_image_size: Whether the weights fit this size alone.
        blocks: For a warm start, the number of blocks in stages c2 to c5 of the network; `None` for all others.
        evaluation_crop: Part of a resized image's side that the evaluation crops, or `None` if not published.
        interpolation: Interpolation of the resizing, or `None` if not published.
        mean: Mean of each channel on the scale 0 to 1, for `preprocess_input`.
        std: Standard deviation of each channel on the same scale.
        metrics: Tuple of `Metric`s.
    """

    model: str
    tag: str
    format: str
    repository: str | None
    revision: str | None
    file: str
    urls: tuple[str, ...]
    sha256: str | None
    md5: str | None
    hash_source: str
    bytes: int | None
    published_size: str | None
    license: str
    source: str
    dataset: str
    classes: int
    class_names: tuple[str, ...] | None
    channels: int
    image_size: int
    fixed_image_size: bool
    blocks: tuple[int, ...] | None
    evaluation_crop: float | None
    interpolation: str | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    metrics: tuple[Metric, ...]

    @property
    def name(self) -> str:
        """`model.tag`, as timm names weights."""
        return f"{self.model}.{self.tag}"

    @property
    def is_in_package(self) -> bool:
        """Whether the file came with this package, so that there is nothing to download."""
        return self.repository is None and not self.urls

    def is_of_revision(self, revision: str | None) -> bool:
        """Whether the hash is of this revision of the repository; `None` leaves the revision to the catalog."""
        return revision in (None, self.revision)

    @property
    def preprocessor(self) -> Preprocessor:
        """The `lambda_keras.weights.preprocessor.Preprocessor` of the evaluation.

        Raises:
            WeightsError: Its crop or its interpolation are not published.
        """
        # It refuses a crop or an interpolation that is None.
        images = (self.image_size, self.evaluation_crop, self.interpolation)
        return Preprocessor(*images, self.mean, self.std)  # type: ignore[arg-type]


def parse(rows: list[dict]) -> tuple[WeightsRecord, ...]:
    """Makes records of the rows of a catalog.

    Args:
        rows: List of dicts with the fields of `WeightsRecord`.

    Returns:
        A tuple of `WeightsRecord`s.

    Raises:
        WeightsError: A row is malformed; the message has its name.
    """
    parsed = tuple(_parse_row(row) for row in rows)
    names = [record.name for record in parsed]
    for name in names:
        if names.count(name) > 1:
            raise WeightsError(f"catalog row {name}: there are {names.count(name)} rows of this name")
    return parsed


def _parse_row(row):
    name = f"{row.get('model')}.{row.get('tag')}"
    _check(name, row, WeightsRecord, _ROW)
    for metric in row["metrics"]:
        _check(f"{name}, metric {metric.get('name')}", metric, Metric, _METRIC)
    if row["repository"] is not None and row["urls"]:
        raise WeightsError(f"catalog row {name}: `repository` and `urls` exclude each other")
    if row["urls"] and row["sha256"] is None and row["md5"] is None:
        raise WeightsError(f"catalog row {name}: a file of plain URLs needs `sha256` or `md5`")
    if row["repository"] is None and not row["urls"] and row["sha256"] is None:
        raise WeightsError(f"catalog row {name}: a file that came with this package needs `sha256`")
    if row["format"] in FORMATS and None in (row["evaluation_crop"], row["interpolation"]):
        raise WeightsError(f"catalog row {name}: weights of a model need `evaluation_crop` and `interpolation`")
    if (row["format"] in WARM_START_FORMATS) != (row["blocks"] is not None):
        raise WeightsError(f"catalog row {name}: weights for a warm start need `blocks`, and no others have them")
    if not len(row["mean"]) == len(row["std"]) == row["channels"]:
        raise WeightsError(f"catalog row {name}: `mean` and `std` need one value for each of `channels`")
    if row["class_names"] is not None and len(row["class_names"]) != row["classes"]:
        raise WeightsError(f"catalog row {name}: `class_names` needs one name for each of `classes`")
    try:
        refuse_pickle(row["file"])
    except WeightsError as error:
        raise WeightsError(f"catalog row {name}: {error}") from error
    metrics = tuple(Metric(**metric) for metric in row["metrics"])
    lists = ("urls", "class_names", "blocks", "mean", "std")
    tuples = {field: None if row[field] is None else tuple(row[field]) for field in lists}
    return WeightsRecord(**{**row, **tuples, "metrics": metrics})


def _check(name, row, kind, checks):
    """Raises unless a row has the fields of a dataclass, each with a value that passes its check."""
    fields = {field.name for field in dataclasses.fields(kind)}
    if row.keys() != fields:
        raise WeightsError(
            f"catalog row {name}: fields missing: {sorted(fields - row.keys())}, unknown: {sorted(row.keys() - fields)}"
        )
    for field, (is_valid, wanted) in checks.items():
        if not is_valid(row[field]):
            raise WeightsError(f"catalog row {name}: `{field}` must be {wanted}. Received: {row[field]!r}")


def _text(pattern, wanted):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None, wanted


def _number(low, high, wanted, kinds=(int, float)):
    return lambda value: type(value) in kinds and low < value <= high, wanted


def _or_none(check):
    is_valid, wanted = check
    return lambda value: value is None or is_valid(value), f"{wanted}, or null"


def _list_of(check):
    is_valid, wanted = check
    return lambda value: isinstance(value, list) and all(map(is_valid, value)), f"a list, each of it {wanted}"


_TEXT = _text(r"\S(.*\S)?", "a text")
_NAME = _text(r"[a-z0-9_]+", "small letters, digits and underscores")
_URL = _text(r"https://\S+", "an https URL")
_PAGE = _text(r"https://\S+|(?!\S*\.\.)\w[\w./-]*\.(md|csv)", "an https URL or the path of a page of this project")
_COUNT = _number(0, float("inf"), "a positive whole number", (int,))
_ROW = {
    "model": _NAME,
    "tag": _NAME,
    "format": (lambda value: value in (*FORMATS, *WARM_START_FORMATS), f"one of {(*FORMATS, *WARM_START_FORMATS)}"),
    "repository": _or_none(_text(r"[\w.-]+/[\w.-]+", "owner/name")),
    "revision": _or_none(_TEXT),
    "file": _text(r"[\w.-]+", "the name of a file"),
    "urls": _list_of(_URL),
    "sha256": _or_none(_text("[0-9a-f]{64}", "64 hexadecimal digits")),
    "md5": _or_none(_text("[0-9a-f]{32}", "32 hexadecimal digits")),
    "hash_source": _TEXT,
    "bytes": _or_none(_COUNT),
    "published_size": _or_none(_TEXT),
    "license": _TEXT,
    "source": _PAGE,
    "dataset": _NAME,
    "classes": _COUNT,
    "class_names": _or_none(_list_of(_TEXT)),
    "channels": _COUNT,
    "image_size": _COUNT,
    "fixed_image_size": (lambda value: isinstance(value, bool), "true or false"),
    "blocks": _or_none(_list_of(_COUNT)),
    "evaluation_crop": _or_none(_number(0, 1, "a number above 0 and up to 1")),
    "interpolation": (lambda value: value in (None, *INTERPOLATIONS), f"one of {INTERPOLATIONS}, or null"),
    "mean": _list_of((lambda value: type(value) in (int, float) and 0 <= value <= 1, "a number from 0 to 1")),
    "std": _list_of(_number(0, 1, "a number above 0 and up to 1")),
    "metrics": (lambda value: isinstance(value, list) and all(isinstance(m, dict) for m in value), "a list of objects"),
}
_METRIC = {
    "name": _NAME,
    "value": _number(0, 100, "a number above 0 and up to 100"),
    "evaluation_set": _TEXT,
    "image_size": _COUNT,
    "source": _PAGE,
}
