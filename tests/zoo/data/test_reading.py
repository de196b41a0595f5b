import numpy as np
import pytest

from lambda_keras.zoo.data import reading
from lambda_keras.zoo.data.files.image_files import ENDINGS
from lambda_keras.zoo.data.splits import Dataset, FileSplit
from lambda_keras.zoo.errors import UserError


@pytest.mark.parametrize("every", [1, 3])
def test_what_can_be_read_has_its_position_and_label(damaged_folder, recipe_data, every):
    """Of ten files of the first class and six of the second, four of the first are damaged."""
    paths = sorted(path for path in damaged_folder.glob("*/*") if path.suffix in ENDINGS)
    labels = np.array([path.parent.name == "dog" for path in paths]).astype(int)
    split = FileSplit(paths, labels)
    dataset = Dataset("image_folder", ("cat", "dog"), 3, (0.5,) * 3, (0.5,) * 3, split, split, split)
    batches = list(reading.batches(split, dataset, recipe_data(image_size=16), batch_size=4, every=every))
    assert {batch.images.shape for batch in batches} == {(4, 16, 16, 3)}
    readable = [number for number, path in enumerate(paths) if path.stem.isdigit() and number % every == 0]
    assert np.concatenate([batch.positions for batch in batches]).tolist() == readable
    assert np.concatenate([batch.labels for batch in batches]).tolist() == labels[readable].tolist()
    assert all(batch.valid.sum() == len(batch.labels) for batch in batches)


@pytest.mark.parametrize("every", [1, 3])
def test_what_is_collected_is_that_of_all_batches_together(damaged_folder, recipe_data, every):
    paths = sorted(path for path in damaged_folder.glob("*/*") if path.suffix in ENDINGS)
    split = FileSplit(paths, np.arange(len(paths)) % 2)
    dataset = Dataset("image_folder", ("cat", "dog"), 3, (0.5,) * 3, (0.5,) * 3, split, split, split)
    batches = list(reading.batches(split, dataset, recipe_data(image_size=16), batch_size=4, every=every))
    room = np.empty((len(paths[::every]), 16, 16, 3), "uint8")
    images, labels, positions = reading.collect(batches, reading.Batch.readable, room)
    assert np.shares_memory(images, room)
    assert len(images) < len(room)
    np.testing.assert_array_equal(images, np.concatenate([batch.images[batch.valid] for batch in batches]))
    np.testing.assert_array_equal(labels, np.concatenate([batch.labels for batch in batches]))
    np.testing.assert_array_equal(positions, np.concatenate([batch.positions for batch in batches]))


def test_a_file_that_is_gone_is_a_line(damaged_folder, recipe_data):
    split = FileSplit([damaged_folder / "gone.png"], [0])
    dataset = Dataset("image_folder", ("cat", "dog"), 3, (0.5,) * 3, (0.5,) * 3, split, split, split)
    with pytest.raises(UserError, match=r"^cannot read the images: .*/gone.png; No such file or directory; mend or"):
        list(reading.batches(split, dataset, recipe_data(image_size=16), batch_size=4))
