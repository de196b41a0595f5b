"""How much of what a model sees and says lies outside the ranges that its calibration has set."""

from dataclasses import dataclass

import keras
import numpy as np

from lambda_keras.export.network import network
from lambda_keras.export.tflite.calibration import Calibration
from lambda_keras.export.tflite.contents import Range, calibrated_tensors
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.logits import LOGITS

# Of the values of a tensor, as a share. Other images always have some values beyond those of the calibration.
MOST_CLIPPED = 0.05
BATCH_SIZE = 32


@dataclass(frozen=True)
class Clipping:
    """What becomes of a tensor's values.

    Attributes:
        tensor: `input` or `logits`.
        calibrated: The lowest and the highest value that the artifact can hold.
        seen: The same of the values that were there.
        share: The share of the values that are clipped, 0..1.
        largest: By how much the worst of them is.

    Example:
        >>> str(Clipping("input", calibrated=(-1.0, 1.0), seen=(-0.5, 3.0), share=0.25, largest=2.0))
        'input: calibrated from -1 to 1, seen from -0.5 to 3; 25.00% clipped, by 2 at most'
    """

    tensor: str
    calibrated: Range
    seen: Range
    share: float
    largest: float

    def __str__(self):
        (low, high), (lowest, highest) = self.calibrated, self.seen
        return (
            f"{self.tensor}: calibrated from {low:.3g} to {high:.3g}, seen from {lowest:.3g} to {highest:.3g}; "
            f"{self.share:.2%} clipped, by {self.largest:.3g} at most"
        )


def measure_clipping(content: bytes, model: keras.Model, calibration: Calibration) -> list[Clipping]:
    """Runs the float model on the check images and compares its values with the ranges of the int8 model.

    Args:
        content: The TFLite file, quantised to int8.
        model: The model that it was made of.
        calibration: The images by which its ranges were set, with others for this check.

    Returns:
        The clipping of the input and of the logits.
    """
    run = network(model)
    images, logits = [], []
    for start in range(0, len(calibration.check_images), BATCH_SIZE):
        batch = calibration.normalised(calibration.check_images[start : start + BATCH_SIZE])
        images.append(batch)
        logits.append(run(batch)[LOGITS].numpy())
    values = {"input": np.concatenate(images), "logits": np.concatenate(logits)}
    return [_clipping(name, values[name], *tensor) for name, tensor in calibrated_tensors(content).items()]


def refuse_clipping(clippings: list[Clipping]) -> None:
    """Raises a `UserError` where more than MOST_CLIPPED of a tensor's values are clipped."""
    for clipping in clippings:
        if clipping.share > MOST_CLIPPED:
            raise UserError(
                f"the calibration covers too little: {clipping}, allowed is {MOST_CLIPPED:.0%}; "
                "calibrate with more images, of the kind that the model will see"
            )


def _clipping(name: str, values: np.ndarray, calibrated: Range, step: float) -> Clipping:
    low, high = calibrated
    excess = np.maximum(low - values, values - high)
    # Less than half a step outside is rounded like any other value.
    clipped = excess > step / 2
    return Clipping(
        tensor=name,
        calibrated=calibrated,
        seen=(float(values.min()), float(values.max())),
        share=float(np.mean(clipped)),
        largest=float(np.max(excess, where=clipped, initial=0.0)),
    )
