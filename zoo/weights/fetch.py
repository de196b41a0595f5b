"""`lambda-zoo weights fetch`: published weights, downloaded and checked."""

from lambda_keras.weights import fetch, pretrained, reference
from lambda_keras.weights.reference import Hub, Tag
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.weights import rows


def fetch_and_print(name: str) -> None:
    """Downloads weights unless they are in the cache, checks them, and prints where and what they are.

    Args:
        name: `model.tag`, `model` or `hf://owner/repository[@revision]` of a shared model, of which all files are
            fetched.

    Raises:
        UserError: There are no such weights, they are unavailable, or they have another hash.
    """
    with errors_of_weights():
        match reference.parse(name):
            case Tag() as tag:
                row = rows.find(tag)
                path, checked = fetch.fetch(row), rows.describe_hash(row)
            case Hub() as repository:
                pretrained.read_preprocessor(repository)
                path = pretrained.weights_file(repository)
                checked = f"the repository's {pretrained.CONFIG}, and that against the Hub's own hash"
            case _:
                raise UserError(f"{name!r} {rows.no_name()}")
    say(f"path     {path}")
    print(f"bytes    {path.stat().st_size:,}")
    print(f"sha256   {fetch.sha256_of(path)}")
    print(f"checked  against {checked}")
