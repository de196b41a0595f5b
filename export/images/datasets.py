"""Datasets that an option names, for a model whose record says how it wants their images."""

from pathlib import Path

from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.splits import Dataset
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.record import Record


def load_dataset(option: str, name: str | Path, record: Record, data_dir: Path | None = None) -> Dataset:
    """Loads a dataset by its name.

    Args:
        option: The option that names it, for messages.
        name: As for `lambda_keras.zoo.data.catalog.load`.
        record: The model's record.
        data_dir: Where the dataset is, as for `lambda_keras.zoo.data.catalog.load`.

    Raises:
        UserError: There is no such dataset, or its images have other channels than the model's.
    """
    data = record.data(str(name))
    try:
        dataset = catalog.load(data, data_dir)
    except UserError as error:
        raise UserError(f"{option} {name}: no such file or folder, and as a dataset: {error}") from error
    channels = record.preprocessor.channels
    if dataset.channels != channels:
        raise UserError(
            f"the model takes images with {channels} channels, those of {name} have {dataset.channels}; "
            f"give {option} a dataset that has as many"
        )
    return dataset


def need_record(option: str, source: str | Path, record: Record | None) -> Record:
    """Returns the record, without which images that are not prepared yet cannot be given to a model.

    Raises:
        UserError: There is none.
    """
    if record is None:
        raise UserError(
            f"{option} {source} needs a record.json beside the model: without it nobody knows how the model wants "
            f"images; write it with `lambda-zoo write-record`, or give {option} the test.npz of its training"
        )
    return record


def refuse_data_dir(option: str, source: str | Path, data_dir: Path | None) -> None:
    """Raises a `UserError` where a folder of datasets is given although `option` does not name a dataset."""
    if data_dir is not None:
        raise UserError(f"--data-dir is for {option} with the name of a dataset, got the path {source}")
