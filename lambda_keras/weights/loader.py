"""`load_weights`: from a tag, a path or a Hub repository to the variables of a model, all of them or an error."""

import pathlib

from lambda_keras.applications import registry
from lambda_keras.weights import catalog, fetch, pretrained, transfer
from lambda_keras.weights.assignment import assign
from lambda_keras.weights.formats import open_file
from lambda_keras.weights.formats.pickles import SUFFIXES
from lambda_keras.weights.hub_name import is_hub_name, split_hub_name
from lambda_keras.weights.preprocessor import Preprocessor

# What a file's name ends in, also of the kinds that are refused.
ENDINGS = (".safetensors", ".h5", ".hdf5", ".keras", ".index", *SUFFIXES)


def load_weights(model, weights, adapt=False, partial=False, architecture=None, fresh_classifier=False):
    """Fills a model with weights. Either each variable is filled as said, or nothing has changed.

    Args:
        model: A model of this package, or one that was made from it and kept its layers' names.
        weights: `"imagenet"` or a tag, such as `"c1_in1k"` or `"lambda_resnet26t.c1_in1k"`;
            `"hf://owner/repository[@revision]"`; or a path: a folder of `save_pretrained`, a `.safetensors`,
            `.weights.h5` or `.keras` file, or the prefix of a TensorFlow checkpoint.
        adapt: Whether the model may differ from the weights in what `lambda_keras.weights.transfer.adapt` knows how to
            carry over: the classifier, the image size of global scopes, the channels of the images.
        partial: Whether, beyond that, variables without a tensor of their name and shape may stay as they are, and
            tensors without a variable be left out. The report names them all.
        architecture: The registry's name of the model, for tags; by default the model's name.
        fresh_classifier: With `adapt` or `partial`: whether the classifier stays random although it may fit, because
            the model's classes are others, as many as those of the weights.

    Returns:
        A `LoadReport`; its `str` is a table of what was loaded, adapted and left as it was.

    Raises:
        FileNotFoundError: There is no file at the path.
        WeightsError: The weights are unknown, cannot be fetched, are damaged or do not fit. No variable has changed.
        ValueError: `fresh_classifier` without `adapt` or `partial`, which ask for an exact fit.

    Example:
        >>> model = lk.create_model("lambda_resnet26t", classes=10)
        >>> print(lk.load_weights(model, "imagenet", adapt=True))
    """
    if fresh_classifier and not (adapt or partial):
        raise ValueError("`fresh_classifier=True` needs `adapt=True` or `partial=True`: without, all weights must fit.")
    path, source = locate(weights, architecture or model.name)
    tensors = open_file.read_tensors(path, model)
    if not (adapt or partial):
        return assign(model, tensors, source)
    adaptation = transfer.adapt(model, tensors, fresh_classifier)
    if partial:
        adaptation = transfer.keep_what_fits(model, adaptation)
    return assign(model, source=source, **vars(adaptation))


def is_published(weights):
    """Whether `weights` names something that was published, not a path."""
    return is_tag(weights) or is_hub_name(weights)


def is_tag(weights):
    """Whether `weights` names a row of the catalog."""
    return isinstance(weights, str) and not is_hub_name(weights) and not _is_path(weights)


def find_record(tag, architecture):
    """The catalog's row of published weights.

    Args:
        tag: `"imagenet"` or a tag, alone (`c1_in1k`) or, as the tables print it, with its model
            (`lambda_resnet26t.c1_in1k`).
        architecture: The registry's name of the model, for a tag alone.

    Returns:
        A `WeightsRecord`.

    Raises:
        WeightsError: There are no such weights.
    """
    name, _, tag = tag.rpartition(".")
    return catalog.find(name or architecture, tag)


def locate(weights, architecture):
    """Finds the file of some weights, fetches it if need be and verifies what has a hash.

    Args:
        weights: As of `load_weights`.
        architecture: The registry's name of the model.

    Returns:
        The path of a weights file, and what to call it in messages.

    Raises:
        WeightsError: There are no such weights, or they cannot be fetched, or do not have their hash.
    """
    if not is_published(weights):
        path = pathlib.Path(weights)
        return (pretrained.weights_file(path) if path.is_dir() else path), str(path)
    if is_hub_name(weights):
        repository, revision = split_hub_name(weights)
        return fetch.fetch_from_hub(repository, pretrained.WEIGHTS, revision), weights
    record = find_record(weights, architecture)
    return fetch.fetch(record), record.name


def preprocessor_of(source):
    """How a model wants its images.

    Args:
        source: A registered model with a tag, such as `"lambda_resnet50ts.a1h_in1k"`: what goes with those weights; or
            without, `"lambda_resnet50ts"`: what goes with its weights of ImageNet, or, where none were published,
            ImageNet's normalisation at the model's default size. Or a folder of `save_pretrained`, or
            `"hf://owner/repository"`.

    Returns:
        A `Preprocessor`.

    Raises:
        FileNotFoundError: There is no such folder.
        WeightsError: There are no such weights, or the folder is damaged.
        ValueError: There is no such model.
    """
    if is_hub_name(source) or _is_path(source):
        return pretrained.read_preprocessor(source)[0]
    architecture, _, tag = source.partition(".")
    config = registry.get_config(architecture)
    rows = [catalog.find(architecture, each) for each in ([tag] if tag else catalog.tags(architecture))]
    # Weights of other datasets say nothing of a model that is named without them.
    preprocessors = [row.preprocessor for row in rows if tag or row.dataset == "imagenet"]
    return preprocessors[0] if preprocessors else Preprocessor(image_size=config.image_size)


def _is_path(weights):
    """A tag has neither a folder nor the ending of a file; nor may a shared model or a checkpoint in this folder."""
    beside = (f"{weights}.index", f"{weights}/{pretrained.CONFIG}")
    return "/" in weights or weights.endswith(ENDINGS) or any(pathlib.Path(path).is_file() for path in beside)
