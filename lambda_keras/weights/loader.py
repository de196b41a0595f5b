"""`load_weights`: from a tag, a path or a Hub repository to the variables of a model, all of them or an error."""

import os
import pathlib
import typing

import keras

from lambda_keras.weights import catalog, fetch, pretrained, reference, transfer
from lambda_keras.weights.assignment import assign
from lambda_keras.weights.formats import open_file
from lambda_keras.weights.preprocessor import remember
from lambda_keras.weights.reference import Checkpoint, File, Folder, Hub, Tag
from lambda_keras.weights.report import LoadReport

Fit = typing.Literal["exact", "adapt", "partial"]
Classifier = typing.Literal["keep", "fresh"]


def load_weights(
    model: keras.Model,
    weights: str | os.PathLike,
    fit: Fit = "exact",
    classifier: Classifier = "keep",
    architecture: str | None = None,
    allow_non_finite: bool = False,
) -> LoadReport:
    """Fills a model with weights. Either each variable is filled as said, or nothing has changed.

    Args:
        model: A model of this package, or one that was made from it and kept its layers' names.
        weights: `"imagenet"` or a tag, such as `"c1_in1k"` or `"lambda_resnet26t.c1_in1k"`;
            `"hf://owner/repository[@revision]"`; or a path: a folder of `save_pretrained`, a `.safetensors`,
            `.weights.h5` or `.keras` file, or the prefix of a TensorFlow checkpoint.
        fit: `"exact"`: each variable has a tensor, and each tensor a variable. `"adapt"`: the model may differ in what
            `lambda_keras.weights.transfer.adapt` carries over: the classifier, the image size of global scopes, the
            channels of the images. `"partial"`: beyond that, variables without a tensor of their name and shape stay
            as they are, and tensors without a variable are left out; the report names them all.
        classifier: `"keep"`, or `"fresh"`: it stays random although it may fit, because the model's classes are
            others, as many as those of the weights.
        architecture: The registry's name of the model, for tags; by default the model's name.
        allow_non_finite: Whether to load values that are infinite or not a number, or become so in the dtype of the
            model's variables: a float64 beyond float32 does.

    Returns:
        A `LoadReport`; its `str` is a table of what was loaded, adapted and left as it was.

    Raises:
        FileNotFoundError: There is no file at the path.
        WeightsError: The weights are unknown, cannot be fetched, are damaged or do not fit. No variable has changed.
        ValueError: `fit` or `classifier` is none of these words.

    Example:
        >>> model = lk.create_model("lambda_resnet26t", classes=10)
        >>> print(lk.load_weights(model, "imagenet", fit="adapt"))
    """
    return fill(model, reference.parse(weights, architecture or model.name), fit, classifier, allow_non_finite)


def fill(
    model: keras.Model,
    found: Tag | Hub | Folder | File | Checkpoint,
    fit: Fit = "exact",
    classifier: Classifier = "keep",
    allow_non_finite: bool = False,
) -> LoadReport:
    """Fills a model with weights whose name is parsed.

    Args:
        model: As for `load_weights`.
        found: What `lambda_keras.weights.reference.parse` returned.
        fit: As for `load_weights`.
        classifier: As for `load_weights`.
        allow_non_finite: As for `load_weights`.

    Returns:
        A `LoadReport`.

    Raises:
        FileNotFoundError: As for `load_weights`.
        WeightsError: As for `load_weights`.
        ValueError: As for `load_weights`.
    """
    for name, value, allowed in (("fit", fit, Fit), ("classifier", classifier, Classifier)):
        if value not in typing.get_args(allowed):
            raise ValueError(f"`{name}` must be one of {typing.get_args(allowed)}. Received: {name}={value!r}")
    path, source = _locate(found)
    tensors, is_fresh = open_file.read_tensors(path, model), classifier == "fresh"
    if fit == "exact":
        adaptation = transfer.without_classifier(model, tensors) if is_fresh else transfer.Adaptation(tensors)
    else:
        adaptation = transfer.adapt(model, tensors, is_fresh)
    if fit == "partial":
        adaptation = transfer.keep_what_fits(model, adaptation)
    report = assign(model, source=source, allow_non_finite=allow_non_finite, **vars(adaptation))
    _remember_preprocessor(model, found)
    return report


def _remember_preprocessor(model, found):
    """Keeps in mind how images were where the weights are from; a file does not say, nor does the Hub unasked."""
    match found:
        case Tag(name, tag):
            remember(model, catalog.find(name, tag).preprocessor)
        case Folder():
            remember(model, pretrained.read_preprocessor(found)[0])
        case _:
            remember(model, None)


def _locate(found: Tag | Hub | Folder | File | Checkpoint) -> tuple[pathlib.Path, str]:
    """The path of a weights file, fetched if need be and verified if it has a hash, and what to call it in messages."""
    match found:
        case Tag(model, tag):
            record = catalog.find(model, tag)
            return fetch.fetch(record), record.name
        case Hub(repository, revision):
            return fetch.fetch_from_hub(repository, pretrained.WEIGHTS, revision), str(found)
        case Folder():
            return pretrained.weights_file(found), str(found)
        case _:
            return found.path, str(found)
