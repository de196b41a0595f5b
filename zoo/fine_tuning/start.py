"""The weights that a fine-tuning starts from, and the images that these want."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import lambda_keras as lk
from lambda_keras.weights import Preprocessor, catalog
from lambda_keras.weights.reference import File, Tag
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning.settings import NONE, Settings
from lambda_keras.zoo.models import model_source
from lambda_keras.zoo.models.model_kinds import KerasFile, ModelSource

FRESH = ", but for the classifier, which is random: theirs is of other or unknown classes"


@dataclass(frozen=True)
class Start:
    """Where a fine-tuning starts.

    Attributes:
        weights: What `lambda_keras.load_weights` takes, or `None`.
        warm_start: `resnet_rs` or `None`.
        preprocessor: How the weights want their images; without such, how the model does.
        source: The `lambda_keras.zoo.models.model_kinds.ModelSource` of the weights; `None` for a lone file and
            without weights.
    """

    weights: str | None
    warm_start: str | None
    preprocessor: Preprocessor
    source: ModelSource | None = None

    @property
    def is_pretrained(self) -> bool:
        """Whether all layers but the classifier know something; after a warm start the lambda layers do not."""
        return self.weights is not None

    def classifies(self, class_names: Sequence[str]) -> bool:
        """Whether the classifier of the weights is known to be of these classes in this order.

        Args:
            class_names: The name of each class.

        Raises:
            UserError: The names of the weights' classes are not available.
        """
        if self.source is None:
            return False
        published = self.source.published
        # ImageNet's names may have to be fetched, which other numbers of classes make needless.
        if published and published.classes != len(class_names):
            return False
        return tuple(self.source.preprocessing()[1] or ()) == tuple(class_names)

    def describe(self, fresh_classifier: bool = False) -> str:
        """Says in words which start it is.

        Args:
            fresh_classifier: Whether the classifier of the weights is not kept.
        """
        if self.weights is not None:
            return f"the weights {self.weights}" + FRESH * fresh_classifier
        if self.warm_start is not None:
            return f"a warm start from {self.warm_start}: the lambda layers random, all other layers as ResNet-RS"
        return "random weights"


def find_start(settings: Settings) -> Start:
    """Finds the start; nothing is loaded.

    Args:
        settings: A `lambda_keras.zoo.fine_tuning.settings.Settings`. With its `colour`, all three channels are
            normalised as the one of weights for grey images, as `lambda_keras.weights.transfer.adapt` wants it.

    Returns:
        A `Start`.

    Raises:
        UserError: There is no such model, or no such weights of it.
    """
    model, weights = settings.model, settings.start_weights
    try:
        lk.applications.get_config(model)
    except ValueError as error:
        raise UserError(f"--model {model}: {error}") from error
    if weights is None:
        return Start(None, settings.warm_start, lk.applications.preprocessor_of(model))
    source = _find_source(settings)
    if source is None:
        return Start(weights, None, lk.applications.preprocessor_of(model))
    if isinstance(source, KerasFile):
        # Of a run folder the file in it.
        weights = source.name
    published = source.published
    preprocessor = published.preprocessor if published else source.preprocessing()[0]
    if settings.colour and preprocessor.channels == 1:
        preprocessor = dataclasses.replace(preprocessor, mean=preprocessor.mean * 3, std=preprocessor.std * 3)
    return Start(weights, None, preprocessor, source)


def _find_source(settings):
    """The `ModelSource` of weights; `None` for a lone file, which says nothing of its images."""
    model, found = settings.model, settings.start_reference
    if isinstance(found, Tag) and not catalog.tags(model):
        raise UserError(
            f"no weights of {model} are published; start from your own (--weights PATH or hf://owner/repository) "
            f"or at random (--weights {NONE}), or take one of {', '.join(lk.list_models(pretrained=True))}"
        )
    if isinstance(found, File) and not found.path.is_file():
        raise UserError(
            f"no such file: {settings.start_weights}; --weights takes a tag, a path, hf://owner/repository or {NONE}"
        )
    return model_source.origin(found)
