"""What a graph refuses, in words that a user can be shown."""

import re

import tensorflow as tf


def require(*requirements: tuple[tf.Tensor, str | tf.Tensor]) -> tf.Operation:
    """Makes an operation that fails where a condition does not hold; others wait for it with `control_dependencies`.

    Args:
        requirements: Of each the condition, a scalar bool, and what to say where it does not hold, a scalar string
            without quotation marks. Of several that do not hold the first is said: of operations of their own, one
            of them at random would be.
    """
    message = requirements[-1][1]
    for condition, of_condition in requirements[-2::-1]:
        message = tf.where(condition, message, of_condition)
    return tf.debugging.Assert(tf.reduce_all([condition for condition, _ in requirements]), [message], summarize=1)


def reason(error: tf.errors.InvalidArgumentError) -> str | None:
    """The message of the `require` that failed; `None` where something else did."""
    found = re.search(r"assertion failed: \[([^\]]*)\]", error.message)
    return found[1] if found else None
