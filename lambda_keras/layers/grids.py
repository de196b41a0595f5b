"""The grids of positions on which queries and context stand."""

import dataclasses
import math
import typing
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Grids:
    """Sides of the grid of queries and of the grid of context positions, the axes between batch and channels.

    Attributes:
        queries: One side for each axis; `None`, or a tensor, where it is unknown until a step runs.
        context: The same of the context.

    Example:
        >>> Grids((14, 14), (7, 7)).positions
        (196, 49)
    """

    queries: tuple[typing.Any, ...]
    context: tuple[typing.Any, ...]

    @classmethod
    def of_shapes(
        cls, inputs_shape: Sequence[int | None], context_shape: Sequence[int | None] | None = None
    ) -> "Grids":
        """The grids in `(batch, *grid, channels)` of the inputs and of the context; the inputs' by default."""
        return cls(tuple(inputs_shape[1:-1]), tuple((context_shape or inputs_shape)[1:-1]))

    @property
    def known(self) -> bool:
        """Whether no side is `None`."""
        return None not in (*self.queries, *self.context)

    @property
    def positions(self) -> tuple[int, int]:
        """The numbers of queries and of context positions, n and m."""
        return math.prod(self.queries), math.prod(self.context)
