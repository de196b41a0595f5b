"""`record.json` beside a detector: which network it is, how it wants its images, what its classes are called."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveFloat, ValidationError, field_validator

from lambda_keras.atomic import replacing
from lambda_keras.zoo.data.files.class_names import check_name
from lambda_keras.zoo.detection.anchors import Anchors
from lambda_keras.zoo.detection.data.parts import Category
from lambda_keras.zoo.detection.kind import LARGEST_RECORD
from lambda_keras.zoo.detection.model import COARSEST_STRIDE, MaskRCNN
from lambda_keras.zoo.detection.pyramid import HIGHEST_OF_BACKBONE
from lambda_keras.zoo.detection.retinanet import RetinaNet
from lambda_keras.zoo.errors import UserError, shown, writing
from lambda_keras.zoo.models.record import explain_problem

Network = MaskRCNN | RetinaNet
KINDS: Mapping[str, type[Network]] = {"mask_rcnn": MaskRCNN, "retinanet": RetinaNet}
# Bounds of what stands in a file of others, far above what anybody trains.
LARGEST_IMAGE = 4096
MOST_CATEGORIES = 100_000
MOST_CHANNELS = 16_384
MOST_BOXES = 100_000
MOST_DETECTIONS = 10_000
# Of a file that is none, more need not be said.
MOST_PROBLEMS = 3


@dataclasses.dataclass(frozen=True)
class DetectorRecord:
    """What must be known beside a detector's file to find objects with it.

    Attributes:
        network: The `lambda_keras.zoo.detection.model.MaskRCNN` or `lambda_keras.zoo.detection.retinanet.RetinaNet`
            that the model was built from. Of a backbone that is a `keras.Model`, a file has the name alone: the model
            beside it has the layers.
        categories: The kinds of objects in the order of their classes, each a
            `lambda_keras.zoo.detection.data.parts.Category`.
        mean: Of each channel, on the scale 0 to 1: what is subtracted from the images.
        std: Of each channel: what the images are divided by then.

    Raises:
        UserError: A value is out of bounds or of another kind, or there are not as many categories as classes.

    Example:
        >>> record = DetectorRecord(config, categories, mean, std)  # doctest: +SKIP
        >>> record.write("runs/stamps/record.json")  # doctest: +SKIP
        >>> DetectorRecord.read("runs/stamps/record.json") == record  # doctest: +SKIP
        True
    """

    network: Network
    categories: tuple[Category, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self):
        """Refuses what no detector has."""
        categories = tuple(Category(*category) for category in self.categories)
        object.__setattr__(self, "categories", categories)
        try:
            _File.of(self)
        except ValidationError as error:
            raise UserError(f"the record of a detector: {_explain(error)}") from error
        if self.network.classes != len(categories):
            raise UserError(
                f"the record of a detector: the network has {self.network.classes:,} classes, and there are "
                f"{len(categories):,} categories; give one for each class"
            )
        for category in categories:
            check_name(category.name, "the record of a detector")

    @property
    def has_masks(self) -> bool:
        """Whether the network finds masks too."""
        return isinstance(self.network, MaskRCNN) and self.network.masks

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the categories in the order of their classes."""
        return tuple(category.name for category in self.categories)

    def write(self, path: str | Path) -> None:
        """Writes the record as JSON; an older file is replaced once the new one is whole."""
        with writing(path), replacing(path) as partial:
            partial.write_text(_File.of(self).model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "DetectorRecord":
        """Reads a record.

        Args:
            path: A file that `write` wrote.

        Raises:
            UserError: There is no such file, it is that of a classifier or damaged, or a value is unknown, missing or
                out of bounds.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(
                f"no such file: {path}; it says which detector the model beside it is: `lambda-zoo detect train` "
                "writes it, copy it together with the model"
            )
        if path.stat().st_size > LARGEST_RECORD:
            raise UserError(f"{path} has more than {LARGEST_RECORD:,} bytes; it is no record of a detector")
        try:
            return _File.model_validate_json(path.read_bytes()).record()
        except ValidationError as error:
            if any(problem["loc"] == ("network",) and problem["type"] == "missing" for problem in error.errors()):
                raise UserError(
                    f"{path} is no record of a detector; give the folder of a `lambda-zoo detect train`, and a "
                    "classifier to `lambda-zoo predict` and `lambda-zoo evaluate`"
                ) from error
            raise UserError(f"{path} is damaged: {_explain(error)}; copy it from the run again") from error


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class _Anchors(_Strict):
    levels: tuple[Annotated[int, Field(ge=2, le=8)], ...] = Field(min_length=1, max_length=7)
    scales: int = Field(ge=1, le=16)
    size: float = Field(gt=0, le=1024)
    aspect_ratios: tuple[Annotated[float, Field(ge=1 / 64, le=64)], ...] = Field(min_length=1, max_length=16)

    @field_validator("levels")
    @classmethod
    def _has_no_gap(cls, levels):
        if levels != tuple(range(levels[0], levels[-1] + 1)) or HIGHEST_OF_BACKBONE not in levels:
            raise ValueError(f"must be numbers without gaps, {HIGHEST_OF_BACKBONE} among them")
        return levels


class _Network(_Strict):
    backbone: str
    overrides: dict[str, JsonValue]
    anchors: _Anchors
    channels: int = Field(ge=1, le=MOST_CHANNELS)
    detections: int = Field(ge=1, le=MOST_DETECTIONS)


class _MaskRCNN(_Network):
    kind: Literal["mask_rcnn"]
    masks: bool
    dense_channels: int = Field(ge=1, le=MOST_CHANNELS)
    candidates: int = Field(ge=1, le=MOST_BOXES)
    proposals: int = Field(ge=1, le=MOST_BOXES)
    sampled_anchors: int = Field(ge=1, le=MOST_BOXES)
    sampled_regions: int = Field(ge=1, le=MOST_BOXES)


class _RetinaNet(_Network):
    kind: Literal["retinanet"]


class _Category(_Strict):
    id: int
    name: str


class _File(_Strict):
    """What stands in `record.json`, in this order."""

    network: _MaskRCNN | _RetinaNet = Field(discriminator="kind")
    image_size: int = Field(ge=COARSEST_STRIDE, le=LARGEST_IMAGE, multiple_of=COARSEST_STRIDE)
    mean: tuple[float, float, float]
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    categories: tuple[_Category, ...] = Field(min_length=1, max_length=MOST_CATEGORIES)

    @field_validator("categories")
    @classmethod
    def _have_numbers_of_their_own(cls, categories):
        number, count = Counter(category.id for category in categories).most_common(1)[0]
        if count > 1:
            raise ValueError(f"must have a number (id) each, but {shown(number)} is given twice")
        return categories

    @classmethod
    def of(cls, record):
        network = record.network
        (kind,) = (kind for kind, config in KINDS.items() if isinstance(network, config))
        values: dict[str, Any] = {field.name: getattr(network, field.name) for field in dataclasses.fields(network)}
        del values["classes"]
        values["backbone"] = network.backbone if isinstance(network.backbone, str) else network.backbone.name
        values["overrides"] = dict(network.overrides)
        values["anchors"] = dataclasses.asdict(network.anchors)
        image_size = values.pop("image_size")
        content = {
            "network": {"kind": kind, **values},
            "image_size": image_size,
            "mean": tuple(record.mean),
            "std": tuple(record.std),
            "categories": tuple(category._asdict() for category in record.categories),
        }
        return cls.model_validate(content)

    def record(self):
        values = self.network.model_dump()
        config = KINDS[values.pop("kind")]
        values["anchors"] = Anchors(**values["anchors"])
        categories = tuple(Category(category.id, category.name) for category in self.categories)
        network = config(classes=len(categories), image_size=self.image_size, **values)
        return DetectorRecord(network, categories, self.mean, self.std)


def _explain(error):
    """Says in a line what pydantic found wrong."""
    return "; ".join(map(explain_problem, error.errors()[:MOST_PROBLEMS]))
