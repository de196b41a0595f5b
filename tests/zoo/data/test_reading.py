import numpy as np
import pytest

from lambda_keras.zoo.data import reading
from lambda_keras.zoo.data.image_files import ENDINGS
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


def test_a_file_that_is_gone_is_a_line(damaged_folder, recipe_data):
    split = FileSplit([damaged_folder / "gone.png"], [0])
    dataset = Dataset("image_folder", ("cat", "dog"), 3, (0.5,) * 3, (0.5,) * 3, split, split, split)
    with pytest.raises(UserError, match=r"^cannot read the images: .*/gone.png; No such file or directory; mend or"):
        list(reading.batches(split, dataset, recipe_data(image_size=16), batch_size=4))
