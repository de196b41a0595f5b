"""The weights that a fine-tuning starts from, and the images that these want."""

from dataclasses import dataclass
from pathlib import Path

import lambda_keras as lk
from lambda_keras.weights import Preprocessor, catalog, loader
from lambda_keras.weights.hub_name import is_hub_name
from zoo import model_source, run_folder
from zoo.errors import UserError

NONE = "none"


@dataclass(frozen=True)
class Start:
    """Where a fine-tuning starts.

    Attributes:
        weights: What `lambda_keras.load_weights` takes, or `None`.
        warm_start: `resnet_rs` or `None`.
        preprocessor: How the weights want their images; without such, how the model does.
    """

    weights: str | None
    warm_start: str | None
    preprocessor: Preprocessor

    @property
    def is_pretrained(self):
        """Whether all layers but the classifier know something; after a warm start the lambda layers do not."""
        return self.weights is not None

    def describe(self):
        """Says in words which start it is."""
        if self.weights is not None:
            return f"the weights {self.weights}"
        if self.warm_start is not None:
            return f"a warm start from {self.warm_start}: the lambda layers random, all other layers as ResNet-RS"
        return "random weights"


def find(model, weights, warm_start):
    """Finds the start; nothing is loaded.

    Args:
        model: The model's name.
        weights: A tag, such as `imagenet`, a path, `hf://owner/repository[@revision]` or `none`; `None` for
            `imagenet`, unless there is a warm start.
        warm_start: `resnet_rs` or `None`.

    Returns:
        A `Start`.

    Raises:
        UserError: There is no such model, or no such weights of it.
    """
    try:
        lk.applications.get_config(model)
    except ValueError as error:
        raise UserError(f"--model {model}: {error}") from error
    if weights is None:
        weights = NONE if warm_start else "imagenet"
    if weights == NONE:
        return Start(None, warm_start, loader.preprocessor_of(model))
    if warm_start:
        raise UserError(f"--weights and --warm-start exclude each other, got {weights} and {warm_start}")
    return Start(weights, None, _preprocessor(model, weights))


def _preprocessor(model, weights):
    path = Path(weights)
    if is_hub_name(weights) or path.is_dir() or path.with_name(run_folder.RECORD).is_file():
        source = model_source.find(weights)
    elif not loader.is_published(weights):
        # A lone file does not tell how its images were.
        return loader.preprocessor_of(model)
    elif not catalog.tags(model):
        raise UserError(
            f"no weights of {model} are published; start from your own (--weights PATH or hf://owner/repository) or "
            f"at random (--weights {NONE}), or take one of {', '.join(lk.list_models(pretrained=True))}"
        )
    else:
        source = model_source.find(model, weights)
    return source.published.preprocessor if source.published else source.preprocessing()[0]
