"""The anchors of a pyramid: the boxes that a network's outputs are relative to."""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from lambda_keras.zoo.detection import operations


@dataclasses.dataclass(frozen=True)
class Anchors:
    """Boxes of some sizes and shapes at every place of every map of a pyramid.

    Attributes:
        levels: Levels of the pyramid, without gaps; the map of level l has stride 2**l.
        scales: Sizes in an octave.
        aspect_ratios: Widths divided by heights.
        size: Side of the smallest square anchor of a level, in strides.
    """

    levels: tuple[int, ...]
    scales: int
    size: float
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    @property
    def per_location(self) -> int:
        """Anchors at one place of a map."""
        return self.scales * len(self.aspect_ratios)

    def boxes(self, image_size: int) -> dict[str, tf.Tensor]:
        """The anchors of an image.

        Args:
            image_size: Its side in pixels.

        Returns:
            For each level, `"p2"` and so on, float32 `[rows * columns * per_location, 4]`.
        """
        return operations.anchor_boxes(image_size, self.levels, self.scales, self.aspect_ratios, self.size)


def by_anchor(levels: Mapping[str, tf.Tensor], numbers: int) -> tf.Tensor:
    """What a network says of all anchors, in their order.

    Args:
        levels: For each level `[batch, rows, columns, anchors * numbers]`.
        numbers: How many there are for an anchor.

    Returns:
        `[batch, anchors, numbers]`, one level after the other.
    """
    return tf.concat([tf.reshape(x, [x.shape[0] or tf.shape(x)[0], -1, numbers]) for x in levels.values()], axis=1)
