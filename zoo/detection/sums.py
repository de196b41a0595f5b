"""What the training of a detector counts of its images, as sums.

The losses are those of a step times its images: a loss is a mean over the objects, anchors and pixels of a step. Those
between `loss` and `images` add up to `loss`.
"""

from typing import NamedTuple, Self

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.training.sums import entries


class MaskRCNNSums(NamedTuple):
    """Sums over images; a vector of them, in this order, is what replicas add up and checkpoints hold.

    Attributes:
        loss: The sum of all losses.
        proposal_score: Of whether an anchor is an object.
        proposal_box: Of the boxes of anchors.
        box_class: Of the classes of regions.
        box_regression: Of their boxes.
        mask: Of their masks; 0 without masks.
        images: Images of the steps.
        unreadable: Those of them that could not be read, and are black.
        stopping: Above 0 once a signal has asked to stop.
    """

    loss: float | tf.Tensor
    proposal_score: float | tf.Tensor
    proposal_box: float | tf.Tensor
    box_class: float | tf.Tensor
    box_regression: float | tf.Tensor
    mask: float | tf.Tensor
    images: float | tf.Tensor
    unreadable: float | tf.Tensor
    stopping: float | tf.Tensor

    @classmethod
    def of(cls, vector: tf.Tensor | tf.Variable | np.ndarray) -> Self:
        """The sums in a vector `[9]`, in a graph or outside of one.

        Example:
            >>> MaskRCNNSums.of(np.arange(9.0)).images
            6.0
        """
        return cls(*entries(vector))


class RetinaNetSums(NamedTuple):
    """The same of a RetinaNet.

    Attributes:
        loss: The sum of both losses.
        anchor_class: Of the classes of anchors.
        anchor_box: Of their boxes.
        images: Images of the steps.
        unreadable: Those of them that could not be read, and are black.
        stopping: Above 0 once a signal has asked to stop.
    """

    loss: float | tf.Tensor
    anchor_class: float | tf.Tensor
    anchor_box: float | tf.Tensor
    images: float | tf.Tensor
    unreadable: float | tf.Tensor
    stopping: float | tf.Tensor

    @classmethod
    def of(cls, vector: tf.Tensor | tf.Variable | np.ndarray) -> Self:
        """The sums in a vector `[6]`, in a graph or outside of one."""
        return cls(*entries(vector))
