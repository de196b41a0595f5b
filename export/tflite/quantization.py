"""The ways to write a model's numbers into a TFLite file, and how far each may be from the model."""

from dataclasses import dataclass

NONE = "none"
FLOAT16 = "float16"
DYNAMIC = "dynamic"
INT8 = "int8"
INT8_FLOAT_IO = "int8-float-io"
INT8_FLOAT_LAMBDAS = "int8-float-lambdas"
# Those that compute in int8, with ranges that calibration images set.
CALIBRATED = (INT8, INT8_FLOAT_IO, INT8_FLOAT_LAMBDAS)
# What `int8-float-lambdas` leaves in float32: the products of two activations, which XNNPACK does not take in int8, and
# what else is between the projections of a lambda layer and its output. Other layers have these for vectors only.
FLOAT_OPERATIONS = (
    "BATCH_MATMUL",
    "DIV",
    "EXP",
    "MAXIMUM",
    "REDUCE_MAX",
    "RESHAPE",
    "STRIDED_SLICE",
    "SUB",
    "SUM",
    "TRANSPOSE",
)


@dataclass(frozen=True)
class Bounds:
    """How far an artifact may be from its model.

    Attributes:
        quantization: How the artifact's numbers are written.
        largest_difference: Of a probability.
        accuracy_loss: How much lower the accuracy may be, as a share.
        agreement: Share of the images that must get the model's class.

    Example:
        >>> str(BOUNDS["int8"]).split("; ")[1]
        '90% of the classes must agree'
    """

    quantization: str
    largest_difference: float
    accuracy_loss: float = 0.005
    agreement: float = 0.9

    def __str__(self):
        return (
            f"quantization {self.quantization}: a probability may differ by up to {self.largest_difference:g}, "
            f"the accuracy be up to {self.accuracy_loss * 100:.2f} points lower; "
            f"{self.agreement:.0%} of the classes must agree"
        )


# In int8 a single probability says little: where two classes are about alike, a step of 1/256 decides.
BOUNDS = {
    bounds.quantization: bounds
    for bounds in (
        Bounds(NONE, 1e-4),
        Bounds(FLOAT16, 1e-2),
        Bounds(DYNAMIC, 0.25),
        Bounds(INT8, 1.0),
        Bounds(INT8_FLOAT_IO, 1.0),
        Bounds(INT8_FLOAT_LAMBDAS, 1.0),
    )
}
KINDS = tuple(BOUNDS)
