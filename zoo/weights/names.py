"""Which row of the catalog of weights a name on the command line means."""

from pathlib import Path

from lambda_keras.applications import registry
from lambda_keras.weights import catalog, loader
from lambda_keras.zoo.errors import UserError, errors_of_weights


def is_name(source):
    """Whether a source of weights is meant as a name of the catalog, not as a path."""
    is_registered = source.partition(".")[0] in registry.list_models()
    return is_registered and not source.endswith(loader.ENDINGS) and not Path(source).exists()


def find_record(name):
    """Finds a row of the catalog.

    Args:
        name: `model.tag`, also of the files for a warm start, such as `resnet_rs50.i160`; or a model, for the first of
            its weights.

    Returns:
        A `lambda_keras.weights.row.WeightsRecord`.

    Raises:
        UserError: There is no such row.

    Example:
        >>> find_record("lambda_resnet50ts").tag
        'a1h_in1k'
    """
    for record in catalog.records():
        if name == record.name:
            return record
    model, _, tag = name.partition(".")
    if model not in registry.list_models():
        known = ", ".join(record.name for record in catalog.records())
        raise UserError(f"{name!r} is no name of the catalog of weights, which has {known}")
    tags = catalog.tags(model)
    if not (tag or tags):
        warm_starts = ", ".join(record.name for record in catalog.warm_starts(model))
        raise UserError(
            f"no weights of {model} are published"
            + (f"; for its warm start there is {warm_starts}" if warm_starts else "")
        )
    with errors_of_weights():
        return catalog.find(model, tag or tags[0])
