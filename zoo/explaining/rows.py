"""What is explained of an image: a row of the picture for each query."""

import dataclasses

import numpy as np

from lambda_keras.explain import InteractionMap


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What one query of one layer saw in an image, and Grad-CAM to compare; a row of `plots.grid`.

    Attributes:
        image: uint8 `[height, width, channels]`, as the model saw it before normalisation.
        predicted: Name of the most probable class.
        probability: Its probability.
        interaction_map: The `lambda_keras.explain.InteractionMap`.
        explained: Name of the class that Grad-CAM is of.
        grad_cam: Its Grad-CAM, `[map height, map width]`, which is the same for all queries.
    """

    image: np.ndarray
    predicted: str
    probability: float
    interaction_map: InteractionMap
    explained: str
    grad_cam: np.ndarray
