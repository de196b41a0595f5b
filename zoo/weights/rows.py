"""Rows of the catalog of weights, as the commands name them."""

from lambda_keras.applications import registry
from lambda_keras.weights import catalog
from lambda_keras.weights.reference import Tag
from lambda_keras.weights.row import WeightsRecord
from lambda_keras.zoo.errors import UserError, errors_of_weights

# A command that reads weights downloads none.
NOT_HERE = "{source} is on the Hub; `lambda-zoo weights fetch` downloads it, then give the folder or file it names"


def find(name: Tag) -> WeightsRecord:
    """Finds a row of the catalog.

    Args:
        name: A model and a tag, also of the files for a warm start, such as `resnet_rs50.i160`; or a model alone, for
            the first of its weights.

    Raises:
        UserError: There is no such row.

    Example:
        >>> find(Tag("lambda_resnet50ts")).tag
        'a1h_in1k'
    """
    for row in catalog.records():
        if (row.model, row.tag) == (name.model, name.tag):
            return row
    if name.model not in registry.list_models():
        raise UserError(f"{str(name)!r} {no_name()}")
    tags = catalog.tags(name.model)
    if not (name.tag or tags):
        warm_starts = ", ".join(row.name for row in catalog.warm_starts(registry.get_config(name.model).warm_start))
        raise UserError(
            f"no weights of {name.model} are published"
            + (f"; for its warm start there is {warm_starts}" if warm_starts else "")
        )
    with errors_of_weights():
        return catalog.find(name.model, name.tag or tags[0])


def no_name() -> str:
    """What to say of a text that is no name of the catalog."""
    return f"is no name of the catalog of weights, which has {', '.join(row.name for row in catalog.records())}"


def describe_hash(row: WeightsRecord) -> str:
    """Says which hash the file of a row must have, and where that is from."""
    if row.sha256:
        return f"the catalog's sha256 {row.sha256}: {row.hash_source}"
    if row.repository:
        return f"the Hub's own sha256: {row.hash_source}"
    return f"the catalog's md5 {row.md5}: {row.hash_source}"
