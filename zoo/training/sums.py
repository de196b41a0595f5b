"""What training and evaluation of a classifier count of their images, as sums."""

from typing import NamedTuple, Self

import numpy as np
import tensorflow as tf


class Sums(NamedTuple):
    """Sums over images; a vector of them, in this order, is what replicas add up and checkpoints hold.

    Attributes:
        loss: The losses.
        correct: Images whose most probable class is right.
        images: Images that the two above are of.
        unreadable: Those of them that could not be read and were replaced by others. An evaluation leaves them out.
        stopping: Above 0 once a signal has asked to stop.
    """

    loss: float | tf.Tensor
    correct: float | tf.Tensor
    images: float | tf.Tensor
    unreadable: float | tf.Tensor = 0.0
    stopping: float | tf.Tensor = 0.0

    @classmethod
    def of(cls, vector: tf.Tensor | tf.Variable | np.ndarray) -> Self:
        """The sums in a vector `[5]`, in a graph or outside of one.

        Example:
            >>> Sums.of(np.array([6.0, 3.0, 4.0, 0.0, 0.0])).accuracy
            0.75
        """
        return cls(*entries(vector))

    @property
    def mean_loss(self) -> float | tf.Tensor:
        """The loss of an image."""
        return self.loss / self.images

    @property
    def accuracy(self) -> float | tf.Tensor:
        """The share of the images that are right, 0..1."""
        return self.correct / self.images


def entries(vector: tf.Tensor | tf.Variable | np.ndarray) -> np.ndarray | list[tf.Tensor]:
    """The numbers of a vector one by one, in a graph or outside of one, for the sums of any task."""
    return vector if isinstance(vector, np.ndarray) else tf.unstack(vector)
