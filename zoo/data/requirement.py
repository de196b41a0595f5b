"""What a graph refuses, in words that a user can be shown."""

import re

import tensorflow as tf


def require(condition: tf.Tensor, message: str | tf.Tensor) -> tf.Operation:
    """Makes an operation that fails where a condition does not hold; others wait for it with `control_dependencies`.

    Args:
        condition: A scalar bool.
        message: What to say, a scalar string. It has no quotation marks.
    """
    return tf.debugging.Assert(condition, [message], summarize=1)


def reason(error: tf.errors.InvalidArgumentError) -> str | None:
    """The message of the `require` that failed; `None` where something else did."""
    found = re.search(r"assertion failed: \[([^\]]*)\]", error.message)
    return found[1] if found else None
