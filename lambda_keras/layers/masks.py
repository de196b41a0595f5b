"""Which context positions a query sees: masks of pairs of positions, and masks of padding.

A padding mask says which positions of a context exist. What does not exist has values of zero, in every order of
contraction, and no share in the normalisation of keys or in the statistics of batch normalisation.
"""

import typing

from keras import ops

from lambda_keras.layers.contraction_plan import Mask
from lambda_keras.layers.grids import Grids


class Masks(typing.NamedTuple):
    """The masks of a call, as they were given.

    Attributes:
        pairs: `None`, or boolean or 0/1 `[n, m]` or `[b, n, m]`, n and m perhaps as their grids.
        context: `None`, or boolean or 0/1 `[b, m]`, m perhaps as its grid.
    """

    pairs: typing.Any = None
    context: typing.Any = None

    @classmethod
    def of_call(
        cls, name: str, inputs: typing.Any, context: typing.Any, mask: typing.Any, context_mask: typing.Any
    ) -> "Masks":
        """The masks of a call, checked.

        Args:
            name: Of the layer, for messages.
            inputs: `[b, *grid, channels]`.
            context: `[b, *context_grid, channels]`.
            mask: As in the call of `LambdaLayer`.
            context_mask: As in the call of `LambdaLayer`.

        Raises:
            ValueError: A mask does not fit the inputs and the context.
        """
        masks = cls(mask, context_mask)
        masks._check(name, inputs.shape, context.shape)
        return masks

    def _check(self, name, inputs_shape, context_shape):
        grids = Grids.of_shapes(inputs_shape, context_shape)
        if self.context is not None:
            found = tuple(self.context.shape)
            allowed = [context_shape[:-1]]
            if None not in grids.context:
                allowed.append((context_shape[0], grids.positions[1]))
            if not any(_fits(found, shape) for shape in allowed):
                raise ValueError(
                    f"`context_mask` of {name} must have shape [batch, *context_grid] = {tuple(context_shape[:-1])}: "
                    f"whether a position of the context exists. Received: context_mask.shape={found}"
                )
        if self.pairs is None:
            return
        sides, found = (*grids.queries, *grids.context), tuple(ops.shape(self.pairs))
        if not grids.known:
            raise ValueError(f"`mask` of {name} needs queries and context of known size. Received: sides {sides}")
        batch = inputs_shape[0]
        allowed = [grids.positions, sides, (batch, *grids.positions), (batch, *sides)]
        if not any(_fits(found, shape) for shape in allowed):
            raise ValueError(
                f"`mask` of {name} must have shape [n, m] = {grids.positions} or {sides}: one row for each query "
                f"position and one column for each context position; or the same behind a batch axis, [{batch}, n, m]. "
                f"Received: mask.shape={found}"
            )

    def seen_pairs(self, grids: Grids) -> typing.Any:
        """`pairs` as boolean `[1, n, m]` where examples share it, else `[b, n, m]`; `None` without it."""
        if self.pairs is None:
            return None
        rank = len(ops.shape(self.pairs))
        is_shared = rank in (2, len(grids.queries) + len(grids.context))
        # Sequences of positions are grids of one axis: three axes are a batch of pairs then.
        return ops.cast(ops.reshape(self.pairs, (1 if is_shared else -1, *grids.positions)), "bool")

    def seen_context(self) -> typing.Any:
        """`context` as boolean `[b, m]`; `None` without it."""
        if self.context is None:
            return None
        return ops.cast(ops.reshape(self.context, (ops.shape(self.context)[0], -1)), "bool")


def kind_of(pairs: typing.Any) -> Mask:
    """What a plan asks of the pairs from `Masks.seen_pairs`."""
    if pairs is None:
        return None
    return "shared" if pairs.shape[0] == 1 else "of_examples"


def intersection(pairs: typing.Any, context: typing.Any) -> typing.Any:
    """What a query sees of what exists.

    Args:
        pairs: From `Masks.seen_pairs`.
        context: From `Masks.seen_context`.

    Returns:
        Boolean `[b or 1, n or 1, m]`, or `None` if both are.
    """
    if context is None:
        return pairs
    context = context[:, None]
    return context if pairs is None else ops.logical_and(pairs, context)


def _fits(found, expected):
    """Whether a shape is the expected one as far as both are known."""
    return len(found) == len(expected) and all(None in (a, b) or a == b for a, b in zip(found, expected, strict=True))
