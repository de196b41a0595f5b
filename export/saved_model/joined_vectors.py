"""The vectors of a model as one variable, so that a SavedModel has fewer to name."""

from collections.abc import Callable

import keras
import tensorflow as tf


def join_vectors(run: Callable, variables: list[keras.Variable]) -> tuple[Callable, list[tf.Variable]]:
    """Makes a function run on one long vector in place of all vectors of its model.

    A SavedModel names every variable in its graph, in the functions that save and restore it and twice in each
    signature: 3 kB for a BatchNorm's vector of a few hundred bytes. Of MobileNetV2's 263 variables 210 are vectors;
    joined, they make `saved_model.pb` a third as large (1.05 to 0.35 MB), and the rest loads faster. The numbers are
    the same: the split costs nothing that could be measured.

    Args:
        run: A function of images that calls layers of a Keras model.
        variables: The model's variables.

    Returns:
        A function that does the same on the second result: TensorFlow's variables, first the joined one, if there are
        vectors at all, then the others, which are the model's own.

    Example:
        >>> run, variables = join_vectors(network(model), model.variables)
        >>> len(variables) < len(model.variables)
        True
    """
    vectors = [variable for variable in variables if len(variable.shape) == 1 and variable.dtype == "float32"]
    if not vectors:
        return run, [variable.value for variable in variables]
    # A row, not a vector: OpenVINO refuses what comes right out of a split, but takes what is squeezed first.
    joined = tf.Variable(tf.concat([vector.value for vector in vectors], axis=0)[tf.newaxis])
    # By identity: == of variables compares their numbers.
    replaced = set(map(id, vectors))
    others = [variable.value for variable in variables if id(variable) not in replaced]

    def run_on_joined(images):
        rows = tf.split(joined, [vector.shape[0] for vector in vectors], axis=1)
        parts = [tf.squeeze(row, axis=0) for row in rows]
        with keras.StatelessScope(state_mapping=list(zip(vectors, parts, strict=True))):
            return run(images)

    return run_on_joined, [joined, *others]
