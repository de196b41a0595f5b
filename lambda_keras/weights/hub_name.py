"""How a repository of the Hugging Face Hub is written: `hf://owner/repository[@revision]`."""

from lambda_keras.weights.errors import WeightsError

PREFIX = "hf://"


def is_hub_name(source):
    """Whether a source of weights is written as a repository of the Hub."""
    return str(source).startswith(PREFIX)


def split_hub_name(name):
    """`("owner/repository", revision or None)`.

    Raises:
        WeightsError: The name has another form.
    """
    repository, at, revision = name.removeprefix(PREFIX).partition("@")
    if repository.count("/") != 1 or not all(repository.split("/")) or (at and not revision):
        raise WeightsError(
            f"A repository of the Hub is written {PREFIX}owner/repository or {PREFIX}owner/repository@revision. "
            f"Received: {name!r}"
        )
    return repository, revision or None
