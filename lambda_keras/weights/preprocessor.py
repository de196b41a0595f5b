"""How a model wants its images: the record that goes with published weights and with shared models."""

import dataclasses
import json
import math
import os
import typing
import weakref

from lambda_keras.weights.errors import WeightsError

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclasses.dataclass(frozen=True)
class Preprocessor:
    """What is done to an image before a model sees it.

    The image is resized so that its shorter side is `image_size / evaluation_crop`, the middle of `image_size` is cut
    out, and each channel is normalised by `lambda_keras.preprocess_input`.

    Attributes:
        image_size: Side of the model's images in pixels.
        evaluation_crop: Share of the side that the central crop keeps (timm's `crop_pct`).
        interpolation: How images are resized: `"nearest"`, `"bilinear"` or `"bicubic"`.
        mean: Mean of each channel on the scale 0 to 1.
        std: Standard deviation of each channel on the same scale.

    Raises:
        WeightsError: A value is of another kind or out of bounds.

    Example:
        >>> Preprocessor(image_size=256, evaluation_crop=0.94, interpolation="bicubic").mean
        (0.485, 0.456, 0.406)
    """

    image_size: int
    evaluation_crop: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Refuses what no image can be prepared with."""
        for field in ("mean", "std"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        wrong = next((name for name, is_right in self._checks() if not is_right), None)
        if wrong:
            raise WeightsError(f"A preprocessor cannot have {wrong}={getattr(self, wrong)!r}: see its docstring.")

    def _checks(self):
        yield "image_size", type(self.image_size) is int and self.image_size > 0
        yield "evaluation_crop", _is_number(self.evaluation_crop) and 0 < self.evaluation_crop <= 1
        yield "interpolation", self.interpolation in INTERPOLATIONS
        yield "mean", bool(self.mean) and all(map(_is_number, self.mean))
        yield "std", len(self.std) == len(self.mean) and all(_is_number(x) and x > 0 for x in self.std)

    @classmethod
    def none(cls, image_size: int, channels: int = 3) -> "Preprocessor":
        """That of a model which normalises its images itself: it gets values from 0 to 255, to float rounding.

        Args:
            image_size: Side of the model's images in pixels.
            channels: Channels of an image.

        Example:
            >>> Preprocessor.none(32, channels=1).mean
            (0.0,)
        """
        return cls(image_size, mean=(0.0,) * channels, std=(1 / 255,) * channels)

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return len(self.mean)

    def to_json(self) -> str:
        """The preprocessor as the text of a `preprocessor.json`."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str | os.PathLike) -> "Preprocessor":
        """Reads what `to_json` wrote.

        Args:
            text: The text.
            source: Where it is from, for messages.

        Raises:
            WeightsError: It is damaged, or has other keys or values.
        """
        try:
            return cls(**json.loads(text))
        # Numbers that are too large for a float, and lists in lists in lists, among others.
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise WeightsError(f"{source} is damaged: {error}") from error


# Of the models that this process made, as far as it is known; a model that is gone is forgotten.
_known: "weakref.WeakKeyDictionary[typing.Any, Preprocessor]" = weakref.WeakKeyDictionary()


def remember(model: typing.Any, preprocessor: Preprocessor | None) -> None:
    """Keeps in mind how a `keras.Model` wants its images; `None` to forget it."""
    _known.pop(model, None)
    if preprocessor is not None:
        _known[model] = preprocessor


def remembered(model: typing.Any) -> Preprocessor | None:
    """What `remember` keeps of a model, at the size of its own input where that is known; `None` without.

    Args:
        model: A `keras.Model`.
    """
    preprocessor = _known.get(model)
    if preprocessor is None or preprocessor.channels != model.input_shape[-1]:
        return None
    return dataclasses.replace(preprocessor, image_size=model.input_shape[1] or preprocessor.image_size)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
