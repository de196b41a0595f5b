"""Learning rates by stage: the farther from the classifier, the less the weights move (ULMFiT, ELECTRA, BEiT)."""

import math
from collections.abc import Sequence

import keras


def shares_of_rate(model: keras.Model, stage_decay: float) -> list[float]:
    """What the learning rate of each trainable variable is multiplied by.

    A stage is what works at one resolution. With s stages from a layer to the classifier, which is one itself, the
    share is `stage_decay ** s`: 1 for the classifier, `stage_decay` for the last stage before it, and so on.

    Args:
        model: A `keras.Model` with a fixed image size.
        stage_decay: The recipe's.

    Returns:
        A list of floats in the order of `model.trainable_variables`.

    Example:
        >>> model = lk.create_model("lambda_resnet_tiny")
        >>> shares = shares_of_rate(model, 0.5)
        >>> shares[0], shares[-1]
        (0.0625, 1.0)
    """
    sides = {layer.name: layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4}
    smallest = min(sides.values())
    shares: dict[str, float] = {}
    for layer in model.layers:
        side = sides.get(layer.name)
        # The sides of odd maps are not halved exactly.
        stages = 0 if side is None else 1 + round(math.log2(side / smallest))
        shares.update((variable.path, stage_decay**stages) for variable in layer.trainable_variables)
    return [shares[variable.path] for variable in model.trainable_variables]


def with_shares(
    optimizer_class: type[keras.optimizers.Optimizer], shares: Sequence[float]
) -> type[keras.optimizers.Optimizer]:
    """An optimizer class whose learning rate, and decoupled weight decay with it, is a share for each variable.

    Args:
        optimizer_class: Of `keras.optimizers`.
        shares: For each variable that it will be built with, in order, what the learning rate is multiplied by.

    Returns:
        A subclass of the same name and arguments.
    """

    class WithShares(optimizer_class):
        weight_decay: float | None

        def _share(self, variable):
            return shares[self._get_variable_index(variable)]

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate * self._share(variable))

        def _apply_weight_decay(self, variables):
            whole = self.weight_decay
            if whole is None:
                return
            try:
                for share in sorted(set(shares)):
                    self.weight_decay = whole * share
                    super()._apply_weight_decay([variable for variable in variables if self._share(variable) == share])
            finally:
                self.weight_decay = whole

    WithShares.__name__ = optimizer_class.__name__
    return WithShares
