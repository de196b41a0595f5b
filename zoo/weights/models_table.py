"""`lambda-zoo models`: the registered models and the state of their weights, without a model built."""

import lambda_keras as lk
from lambda_keras.weights import catalog
from lambda_keras.zoo.command_line import print_table
from lambda_keras.zoo.errors import UserError


def print_models(pattern: str = "*", pretrained: bool = False) -> None:
    """Prints a table with a row for each model.

    Args:
        pattern: A shell pattern for the names.
        pretrained: Whether to leave out the models of which no weights are published.

    Raises:
        UserError: There is no such model.
    """
    names = lk.list_models(pattern, pretrained)
    if not names:
        which = " with published weights" if pretrained else ""
        raise UserError(f"no model{which} matches {pattern!r}; `lambda-zoo models` lists all")
    rows = [(name, str(lk.applications.get_config(name).image_size), weights_state(name)) for name in names]
    print_table(("model", "image size", "weights"), rows, right=(1,))


def weights_state(model: str) -> str:
    """Says in words which weights of a registered model there are.

    Example:
        >>> weights_state("lambda_resnet50")
        'architecture only; warm start: resnet_rs (i160)'
    """
    records = [catalog.find(model, tag) for tag in catalog.tags(model)]
    if records:
        return "; ".join(map(_describe, records))
    sizes = ", ".join(record.tag for record in catalog.warm_starts(lk.applications.get_config(model).warm_start))
    return f"architecture only; warm start: resnet_rs ({sizes})" if sizes else "architecture only"


def _describe(record):
    metrics = [
        f"{metric.value:g} % {metric.name.replace('top', 'top-')} on {metric.evaluation_set} at {metric.image_size}"
        for metric in record.metrics
    ]
    # The source is a long URL, which `lambda-zoo weights show` prints.
    publisher = f", published by {record.format}" if metrics else ""
    return f"{record.tag}: {', '.join(metrics) or 'no accuracy published'}{publisher}"
