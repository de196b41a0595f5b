"""How images are normalised: what data and artifacts say of it must be what the model's record says."""

from collections.abc import Sequence

import numpy as np

from lambda_keras.export.checks.artifact import Artifact
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record


def check_normalisation(
    name: object,
    mean: Sequence[float] | np.ndarray,
    std: Sequence[float] | np.ndarray,
    record: Record | None,
    remedy: str,
) -> None:
    """Checks that images are normalised as a model's record says.

    Args:
        name: What says that they are normalised by `mean` and `std`.
        mean: Of each channel on the scale 0..1.
        std: Of each channel on the scale 0..1.
        record: The model's record; without one nothing is checked.
        remedy: What to do where they differ.

    Raises:
        UserError: They differ.
    """
    if record is None:
        return
    preprocessor = record.preprocessor
    pairs = ((mean, preprocessor.mean), (std, preprocessor.std))
    if not all(np.shape(got) == np.shape(want) and np.allclose(got, want) for got, want in pairs):
        raise UserError(
            f"{name} has mean {np.asarray(mean).tolist()} and std {np.asarray(std).tolist()}, the model's record "
            f"{list(preprocessor.mean)} and {list(preprocessor.std)}; {remedy}"
        )


def check_artifact(artifact: Artifact, record: Record | None) -> None:
    """Checks that an artifact states the normalisation of its model, where it states any.

    What `verify` compares does not show it where images come normalised, as to a TFLite file: those who go by its
    metadata would give it other images.

    Raises:
        UserError: It states another mean or std, or its statement is damaged.
    """
    preprocessing = artifact.preprocessing()
    if preprocessing is not None:
        remedy = "it is of another model, or older; export the model again"
        check_normalisation(artifact, preprocessing.mean, preprocessing.std, record, remedy)
