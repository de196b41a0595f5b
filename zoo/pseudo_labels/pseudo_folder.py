"""A folder to train on: `pseudo.json`, and TFRecord files of images with their soft labels, in a random order.

Each record is a `tf.train.Example` with `image`, the bytes of an image file, and `id`, `source`, `classes`,
`probabilities` and `rest` of its label. `pseudo.json` is written last: without it nothing in the folder counts.
"""

import contextlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lambda_keras.atomic import partials, replacing
from lambda_keras.zoo.errors import UserError, writing_by_tensorflow

DESCRIPTION = "pseudo.json"
FORMAT = 1
# All are open at the same time.
MOST_SHARDS = 512
_UNSORTED = ".unshuffled"


def check(folder: Path, shards: int) -> None:
    """Refuses a folder that is written already, and too many files.

    Args:
        folder: The folder, which may be missing.
        shards: How many files to write.

    Raises:
        UserError: It is refused.
    """
    if (folder / DESCRIPTION).exists():
        raise UserError(f"{folder} has a {DESCRIPTION} already; give another folder with --out")
    if shards > MOST_SHARDS:
        raise UserError(f"--shards must be 1 to {MOST_SHARDS}, got {shards:,}")


def write(
    folder: Path, examples: Iterable[tuple[tf.train.Example, int]], total: int, shards: int, seed: int
) -> dict[str, int]:
    """Writes the files, whose order is drawn: first which file each record is in, then its place there.

    Args:
        folder: The folder, which exists.
        examples: Records, and how many copies of each to write.
        total: How many that are in all.
        shards: How many files. The records of one must fit into memory.
        seed: Of what is drawn.

    Returns:
        How many records each file has, by its name.

    Raises:
        UserError: There are fewer records than files, or they cannot be written.
    """
    if total < shards:
        raise UserError(f"too few records to fill {shards} files: {total:,}; ask for fewer files with --shards")
    names = [f"selected-{shard:05}-of-{shards:05}.tfrecord" for shard in range(shards)]
    shard_of_copy = np.random.default_rng([seed, shards]).permutation(np.arange(total) % shards)
    unsorted = folder / _UNSORTED
    # Of a selection that was killed.
    shutil.rmtree(unsorted, ignore_errors=True)
    unsorted.mkdir()
    try:
        with writing_by_tensorflow(f"to {folder}", "; give another folder with --out"):
            with contextlib.ExitStack() as stack:
                writers = [stack.enter_context(tf.io.TFRecordWriter(str(unsorted / name))) for name in names]
                written = 0
                for example, copies in examples:
                    record = example.SerializeToString(deterministic=True)
                    for shard in shard_of_copy[written : written + copies]:
                        writers[shard].write(record)
                    written += copies
            for shard, name in enumerate(names):
                _shuffle(unsorted / name, folder / name, np.random.default_rng([seed, shards, shard]))
    finally:
        shutil.rmtree(unsorted, ignore_errors=True)
    return dict(zip(names, np.bincount(shard_of_copy, minlength=shards).tolist(), strict=True))


def describe(
    folder: Path,
    classes: Iterable[str],
    teacher: dict[str, str],
    selection: dict[str, Any],
    shards: dict[str, int],
) -> None:
    """Writes `pseudo.json`.

    Args:
        folder: The folder.
        classes: The name of each class.
        teacher: Its `name` and `sha256`.
        selection: How the images were selected.
        shards: What `write` returned.
    """
    content = {
        "format": FORMAT,
        "classes": list(classes),
        "teacher": teacher,
        "selection": selection,
        "shards": shards,
    }
    with replacing(folder / DESCRIPTION) as partial:
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name in (*shards, DESCRIPTION):
        # Of selections that were killed.
        for partial in partials(folder / name):
            partial.unlink(missing_ok=True)


def _shuffle(source, target, generator):
    records = list(tf.data.TFRecordDataset(str(source)).as_numpy_iterator())
    with replacing(target) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
        for place in generator.permutation(len(records)):
            writer.write(records[place])
    source.unlink()
