"""`lambda-zoo weights fetch`: published weights, downloaded and checked."""

from lambda_keras.weights import fetch as downloads
from lambda_keras.weights import pretrained
from lambda_keras.weights.hub_name import is_hub_name
from lambda_keras.zoo.errors import errors_of_weights
from lambda_keras.zoo.weights.names import find_record


def fetch(name):
    """Downloads weights unless they are in the cache, checks them, and prints where and what they are.

    Args:
        name: What `lambda_keras.zoo.weights.names.find_record` takes, or `hf://owner/repository[@revision]` of a
            shared model, of which all files are fetched.

    Raises:
        UserError: There are no such weights, they cannot be had, or they have another hash.
    """
    with errors_of_weights():
        if is_hub_name(name):
            pretrained.read_preprocessor(name)
            path = pretrained.weights_file(name)
            checked = f"the repository's {pretrained.CONFIG}, and that against the Hub's own hash"
        else:
            record = find_record(name)
            path = downloads.fetch(record)
            checked = describe_hash(record)
    print(f"path     {path}")
    print(f"bytes    {path.stat().st_size:,}")
    print(f"sha256   {downloads.sha256_of(path)}")
    print(f"checked  against {checked}")


def describe_hash(record):
    """Says which hash the file of a catalog row must have, and where that is from."""
    if record.sha256:
        return f"the catalog's sha256 {record.sha256}: {record.hash_source}"
    if record.repository:
        return f"the Hub's own sha256: {record.hash_source}"
    return f"the catalog's md5 {record.md5}: {record.hash_source}"
