"""Initialisers, given by name, configuration or object."""

import typing

import keras

# What Keras' layers take: a name, a configuration, an `Initializer` or a function of shape and dtype; `None` here for
# a layer's own default.
Initializer = str | dict[str, typing.Any] | keras.initializers.Initializer | typing.Callable[..., typing.Any] | None


def clone(initializer: typing.Any) -> typing.Any:
    """A copy for one more weight, which draws numbers of its own unless it has a seed; functions and `None` as is."""
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer
