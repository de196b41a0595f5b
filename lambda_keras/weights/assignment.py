"""From tensors with names to the variables of a model: all of them, or an error before the first one changes."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.finite import not_finite
from lambda_keras.weights.report import LoadReport

# A message names this many tensors, and counts the others.
NAMED = 5
# What `transfer.adapt` can carry over: a part of the variables' names, and why they differ.
ADAPTABLE = {
    "predictions/": "another number of classes, or no classifier",
    "stem_conv/": "images of other channels",
    "stem1_conv/": "images of other channels",
    "position_embedding/table": "another image size under a global scope (another local scope fits nothing)",
}


def variables_by_name(model: keras.Model | keras.Layer) -> dict[str, keras.Variable]:
    """The variables of a model that weights fill, by name.

    A name is the variable's path, such as `c4_block3_lambda/query_projection/kernel`. It outlives saving, reloading
    and cloning, since the layers of this package's models all have names of their own.

    Args:
        model: A built `keras.Model`.

    Returns:
        A dict from names to `keras.Variable`s, in the order of the layers.

    Raises:
        WeightsError: Two variables have the same name.
    """
    variables = {variable.path: variable for variable in model.weights}
    if len(variables) < len(model.weights):
        paths = [variable.path for variable in model.weights]
        twice = next(path for path in paths if paths.count(path) > 1)
        raise WeightsError(f"{model.name} has two variables named {twice!r}: give its layers names of their own.")
    return variables


def assign(
    model: keras.Model | keras.Layer,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    adapted: Mapping[str, str] | None = None,
    random: Sequence[str] = (),
    unused: Sequence[str] = (),
    allow_non_finite: bool = False,
) -> LoadReport:
    """Fills each variable of a model with the tensor of its name.

    Args:
        model: A built `keras.Model`.
        tensors: A mapping from names, as `variables_by_name` gives them, to arrays.
        source: Where the tensors are from, for messages.
        adapted: What was done to the tensors that are not as the source had them, by name.
        random: Names of the variables that may stay as they are.
        unused: Names of tensors of the source that were left out, for the report.
        allow_non_finite: Whether values may be infinite or not a number, in the variable's dtype.

    Returns:
        A `LoadReport`.

    Raises:
        WeightsError: A variable has no tensor, a tensor has no variable, shapes or kinds of numbers differ, or a value
            is not finite. No variable has changed then.
    """
    variables = variables_by_name(model)
    problems = [
        *(f"nothing for {name} {list(variables[name].shape)}" for name in variables if name not in {*tensors, *random}),
        *(f"{name} {list(tensors[name].shape)} fits no variable" for name in tensors if name not in variables),
        *(problem for name in tensors if name in variables for problem in _mismatches(name, tensors[name], variables)),
    ]
    if problems:
        cause = _likely_cause(variables, tensors)
        raise WeightsError(f"{source} does not fit {model.name}: {listing(problems)}. {cause}")
    if not allow_non_finite:
        _check_finite(variables, tensors, source)
    for name, tensor in tensors.items():
        variables[name].assign(tensor)
    adapted = dict(adapted or {})
    return LoadReport(
        source,
        loaded=tuple(name for name in variables if name in tensors and name not in adapted),
        adapted=adapted,
        random=tuple(name for name in variables if name not in tensors),
        unused=tuple(unused),
    )


def listing(problems: list[str]) -> str:
    """The first problems of a list as a text, and how many more there are."""
    more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    return "; ".join(problems[:NAMED]) + more


def _mismatches(name, tensor, variables):
    received, expected = tuple(tensor.shape), tuple(variables[name].shape)
    if received != expected:
        yield f"{name} has shape {list(received)}, the model's has {list(expected)}"
    elif not (_is_floating(tensor) or tensor.dtype.name == variables[name].dtype):
        yield f"{name} holds {tensor.dtype}, not floating-point numbers"


def _is_floating(tensor):
    return np.issubdtype(tensor.dtype, np.floating) or tensor.dtype.name == "bfloat16"


def _check_finite(variables, tensors, source):
    """Refuses values that are infinite or not a number, or become so in the variable's dtype."""
    # A value too large for float32 is what is looked for.
    with np.errstate(over="ignore"):
        bad = not_finite((name, tensor.astype(variables[name].dtype)) for name, tensor in tensors.items())
    if bad:
        name = bad[0]
        was_bad = not_finite([(name, tensors[name])])
        problem = "infinite or not a number" if was_bad else f"too large for {variables[name].dtype}"
        raise WeightsError(
            f"{source} has values that are {problem} in {len(bad)} of {len(tensors)} tensors, the first is {name}. "
            "Their training diverged, or the file is damaged: take others. "
            "`lambda_keras.load_weights(model, weights, allow_non_finite=True)` loads them as they are."
        )


def _likely_cause(variables, tensors):
    """A sentence about what makes the difference, from the names that differ."""
    if any(np.issubdtype(tensor.dtype, np.integer) for tensor in tensors.values()):
        return (
            "The file is of a quantised model, whose integers mean nothing without their scales: take the weights from "
            "before `model.quantize`, or load the whole model with `keras.models.load_model` or "
            "`lambda_keras.from_pretrained`."
        )
    different = {
        name
        for name in {*variables, *tensors}
        if name not in variables or name not in tensors or tuple(variables[name].shape) != tuple(tensors[name].shape)
    }
    causes = [next((cause for part, cause in ADAPTABLE.items() if part in name), None) for name in sorted(different)]
    known = dict.fromkeys(cause for cause in causes if cause)
    if all(causes):
        return (
            f"The model has {' and '.join(known)}. "
            '`lambda_keras.load_weights(model, weights, fit="adapt")` adapts to these.'
        )
    if not set(variables) & set(tensors):
        return "No name is known: the file is of another model, or of another library."
    return (
        "It is the file of another model or of another configuration; `lambda_keras.create_model` must make the same."
    )
