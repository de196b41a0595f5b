"""`lambda-zoo weights verify`: weights that are here against their hashes."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from lambda_keras.weights import WeightsError, catalog, fetch, pretrained
from lambda_keras.weights.reference import Checkpoint, Folder, Hub, Tag
from lambda_keras.zoo.command_line import say
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models import model_source
from lambda_keras.zoo.weights import contents, rows


def verify(sources: Iterable[str | Path]) -> int:
    """Checks weights and prints a line for each: the source, `good` or `BAD`, and why.

    * A name of the catalog: the file in the cache against the row's hash. A bad one is removed.
    * A folder of `save_pretrained`: all files against the hashes in its `config.json`, and all values are finite.
    * A file: it can be read and all its values are finite. Its hash is printed, and the row of the catalog that has it.

    Args:
        sources: Names and paths.

    Returns:
        The exit status: 0, or 1 if any are bad.

    Raises:
        UserError: A source does not exist.
    """
    status = 0
    for source in sources:
        try:
            say(f"{source}: good: {_check(source)}")
        except (WeightsError, contents.DamagedError) as error:
            say(f"{source}: BAD: {' '.join(str(error).split())}")
            status = 1
    return status


def _check(source):
    """Says against what a source was found good.

    Raises:
        WeightsError: It is bad.
        lambda_keras.zoo.weights.contents.DamagedError: It cannot be read.
        UserError: It does not exist.
    """
    match model_source.parse(source):
        case Tag() as name:
            row = rows.find(name)
            fetch.fetch(row, offline=True)
            return f"the file in the cache has {rows.describe_hash(row)}"
        case Folder() as folder:
            try:
                pretrained.read_preprocessor(folder)
                weights = pretrained.weights_file(folder)
            except FileNotFoundError as error:
                raise UserError(error) from error
            _check_finite(weights)
            return f"all files have the hashes of {pretrained.CONFIG}, all values are finite"
        case Checkpoint(prefix):
            _check_finite(prefix)
            return "a checkpoint of several files, all values are finite"
        case Hub():
            raise UserError(rows.NOT_HERE.format(source=source))
        case lone:
            path = lone.path
    _check_finite(path)
    sha256 = fetch.sha256_of(path)
    with open(path, "rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    known = next((row for row in catalog.records() if sha256 == row.sha256 or md5 == row.md5), None)
    whose = f"that of {known.name}" if known else "of no row of the catalog"
    return f"all values are finite, sha256 {sha256} is {whose}"


def _check_finite(path):
    found = contents.read(path)
    if names := found.not_finite():
        raise WeightsError(
            f"{len(names)} of {len(found.tensors)} tensors have values that are not finite, the first is {names[0]}"
        )
