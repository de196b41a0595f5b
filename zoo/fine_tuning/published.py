"""Published weights, fetched before all else: where there is no network, a fine-tuning ends at once and not later."""

from lambda_keras.weights import catalog, fetch
from lambda_keras.weights.reference import CONFIG, Checkpoint, File, Folder, Hub, Tag
from lambda_keras.zoo.errors import errors_of_weights


def fetch_published(found: Tag | Hub | Folder | File | Checkpoint | None) -> None:
    """Fetches the weights that a fine-tuning starts from, unless they are here; Keras is not imported.

    Args:
        found: The `start_reference` of `lambda_keras.zoo.fine_tuning.settings.Settings`. What is wrong in it is refused
            by `lambda_keras.zoo.fine_tuning.start.find_start`. Of a repository that the catalog does not have, its
            configuration is fetched alone.

    Raises:
        UserError: There are no such weights of the model, or they are not here and cannot be fetched.
    """
    with errors_of_weights():
        match found:
            case Tag(model, tag) if catalog.tags(model):
                fetch.fetch(catalog.find(model, tag))
            case Hub(repository, revision):
                row = catalog.of_repository(repository)
                if row and row.is_of_revision(revision):
                    fetch.fetch(row)
                else:
                    fetch.fetch_from_hub(repository, row.file if row else CONFIG, revision)
