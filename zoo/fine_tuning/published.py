"""Published weights, fetched before all else: where there is no network, a fine-tuning ends at once and not later."""

from lambda_keras.weights import catalog, fetch, reference
from lambda_keras.weights.reference import CONFIG, Hub, Tag
from lambda_keras.zoo.errors import errors_of_weights

# Of `--weights`.
DEFAULT, NONE = "imagenet", "none"


def weights_of(weights: str | None, warm_start: str | None) -> str:
    """The weights to start from where they are not said: `imagenet`, or `none` beside a warm start."""
    if weights is None:
        return NONE if warm_start else DEFAULT
    return weights


def fetch_published(model: str, weights: str | None, warm_start: str | None) -> None:
    """Fetches the weights that a fine-tuning starts from, unless they are here; Keras is not imported.

    Args:
        model: As for `lambda_keras.zoo.fine_tuning.start.find_start`, which refuses what is wrong in it.
        weights: The same. Of a repository that the catalog does not have, its configuration is fetched alone.
        warm_start: The same.

    Raises:
        UserError: There are no such weights of the model, or they are not here and cannot be fetched.
    """
    weights = weights_of(weights, warm_start)
    with errors_of_weights():
        found = reference.parse(weights, model)
        if weights != NONE and isinstance(found, Tag) and catalog.tags(found.model):
            fetch.fetch(catalog.find(found.model, found.tag))
        elif isinstance(found, Hub):
            row = catalog.of_repository(found.repository)
            if row and row.is_of_revision(found.revision):
                fetch.fetch(row)
            else:
                fetch.fetch_from_hub(found.repository, row.file if row else CONFIG, found.revision)
