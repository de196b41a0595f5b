"""The error and the warning of everything that loads weights."""


class WeightsError(ValueError):
    """Weights are unavailable, do not fit or are damaged; the message says which, and what to do.

    Where it is raised, no variable of the model has changed.
    """


class WeightsWarning(UserWarning):
    """Weights were loaded otherwise than they were stored, or it was assumed how they want their images."""
