"""Classification datasets of TensorFlow Datasets, by name."""

from zoo.data.splits import Splits
from zoo.errors import UserError


def load(name, validation_fraction, data_dir=None):
    """Loads a dataset that has the splits `train` and `test`.

    Args:
        name: Name of the dataset in TensorFlow Datasets.
        validation_fraction: Share of `train`, at its end, to hold back for validation.
        data_dir: Folder of prepared data; nothing is downloaded into it. By default TensorFlow Datasets' own
            folder, into which the dataset is downloaded where it is missing.

    Returns:
        `Splits` of uint8 images and int64 labels.

    Raises:
        UserError: The dataset is neither there nor to be had.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.is_prepared():
        if data_dir is not None:
            raise UserError(
                f"no prepared dataset {name!r} in {data_dir} (looked for {builder.data_dir}); give the folder that "
                f"holds {name}/ with --data-dir, or leave --data-dir out to download it"
            )
        _download(builder)
    boundary = round(builder.info.splits["train"].num_examples * (1 - validation_fraction))
    parts = [f"train[:{boundary}]", f"train[{boundary}:]", "test"]
    return Splits(*builder.as_dataset(split=parts, as_supervised=True))


def _download(builder):
    import tensorflow_datasets as tfds

    print(f"Downloading {builder.name} to {builder.data_dir}", flush=True)
    try:
        builder.download_and_prepare()
    except (OSError, tfds.download.DownloadError) as error:
        raise UserError(
            f"cannot download dataset {builder.name!r} to {builder.data_dir} ({type(error).__name__}); prepare it on "
            f"a machine with a network (tfds.load({builder.name!r}, data_dir=FOLDER)) and give FOLDER with --data-dir"
        ) from error
