"""The catalog of published weights: `catalog.json`, one row a file, by model and tag."""

import functools
import json
import pathlib

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.row import FORMATS, WARM_START_FORMATS, WeightsRecord, parse


@functools.cache
def records() -> tuple[WeightsRecord, ...]:
    """All rows of the catalog.

    Returns:
        A tuple of `WeightsRecord`s.

    Raises:
        WeightsError: A row is malformed; the message has its name.
    """
    return parse(json.loads(pathlib.Path(__file__).with_name("catalog.json").read_text("utf-8")))


def tags(model: str) -> tuple[str, ...]:
    """Tags of the weights that fit a model of the registry; empty if none were published.

    Example:
        >>> tags("lambda_resnet50ts")
        ('a1h_in1k',)
    """
    return tuple(record.tag for record in records() if record.model == model and record.format in FORMATS)


def find(model: str, tag: str | None) -> WeightsRecord:
    """The row of a model's weights.

    Args:
        model: Name of a model in the registry.
        tag: One of `tags(model)`, or `"imagenet"` for the first that was trained on it; `None` is no tag of any.

    Returns:
        A `WeightsRecord`.

    Raises:
        WeightsError: There are no such weights; the message names those that there are.

    Example:
        >>> find("lambda_resnet50ts", "imagenet").name
        'lambda_resnet50ts.a1h_in1k'
    """
    candidates = [record for record in records() if record.model == model and record.format in FORMATS]
    for record in candidates:
        if tag in (record.tag, record.dataset):
            return record
    if candidates:
        raise WeightsError(f"{model} has no weights {tag!r}. There are: {', '.join(_words(candidates))}.")
    others = sorted({record.model for record in records() if record.format in FORMATS})
    raise WeightsError(
        f"{model} is an architecture only: no weights of it are published, so there is no {tag!r}. "
        "`lambda_keras.weights.warm_start` fills a part of LambdaResNet 50 to 420. "
        f"Models with weights: {', '.join(others)}."
    )


def of_repository(repository: str) -> WeightsRecord | None:
    """The row of the weights that are in a repository of the Hugging Face Hub.

    Args:
        repository: `owner/name`.

    Returns:
        A `WeightsRecord`; `None` where the catalog has none of it.

    Example:
        >>> of_repository("timm/lambda_resnet50ts.a1h_in1k").name
        'lambda_resnet50ts.a1h_in1k'
    """
    return next((record for record in records() if record.repository == repository), None)


def warm_starts(source: str | None) -> tuple[WeightsRecord, ...]:
    """The rows whose weights fill the part of a model that is not lambda layers.

    Args:
        source: The ResNet-RS that has these weights, as `warm_start` of the model's configuration names it.

    Returns:
        The rows, smallest images first; none without a source.

    Example:
        >>> [row.file for row in warm_starts("resnet_rs101")]
        ['resnet-rs-101-i160.h5', 'resnet-rs-101-i192.h5']
    """
    return tuple(record for record in records() if record.model == source and record.format in WARM_START_FORMATS)


def _words(candidates):
    """What `find` takes for these records, once each."""
    return dict.fromkeys(word for record in candidates for word in (record.dataset, record.tag))
