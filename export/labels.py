"""The names of the classes, a line for each, in the files that go with an artifact."""

from collections.abc import Sequence

from lambda_keras.zoo.errors import UserError

LABELS = "labels.txt"


def check_labels(class_names: Sequence[str]) -> None:
    """Checks that each name is one line, so that readers of `labels.txt` get as many as there are.

    An empty name is a line.

    Raises:
        UserError: A name has a line break, in it or at its end.
    """
    broken = [name for name in class_names if name and name.splitlines() != [name]]
    if broken:
        raise UserError(f"{LABELS} has a class on each line, but the name {broken[0]!r} has a line break; rename it")


def labels_text(class_names: Sequence[str]) -> str:
    """What `labels.txt` holds."""
    return "".join(f"{name}\n" for name in class_names)
