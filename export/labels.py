"""The names of the classes, a line for each, in the files that go with an artifact."""

from collections.abc import Sequence

from lambda_keras.text import escaped, is_line
from lambda_keras.zoo.errors import UserError

LABELS = "labels.txt"


def check_labels(class_names: Sequence[str]) -> None:
    """Checks that each name is one line, so that readers of `labels.txt` get as many as there are.

    An empty name is a line.

    Raises:
        UserError: A name has a line break, in it or at its end, or another control character.
    """
    if broken := [name for name in class_names if not is_line(name)]:
        raise UserError(
            f"{LABELS} has a class on each line, but the name '{escaped(broken[0])}' has a line break or another "
            "control character; rename it in the record.json of the model"
        )


def labels_text(class_names: Sequence[str]) -> str:
    """What `labels.txt` holds."""
    return "".join(f"{name}\n" for name in class_names)
