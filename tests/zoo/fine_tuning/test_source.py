import pytest

from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.data.sources import image_table
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning.settings import Settings
from lambda_keras.zoo.fine_tuning.source import CatalogDataset, Files
from lambda_keras.zoo.fine_tuning.start import find_start
from lambda_keras.zoo.recipe import Data

GREY = Preprocessor(32, evaluation_crop=1.0, mean=(0.3,), std=(0.4,))


def test_a_messy_folder_becomes_a_dataset(messy_folder, tmp_path):
    source = Files(messy_folder, GREY, seed=0)
    assert source.remarks[-1].startswith(
        "images are read in grey at 32x32, as the weights want them: colour is dropped"
    )
    source.prepare(tmp_path, overwrite=False)
    dataset = source.load(Data(**source.data), tmp_path)
    assert dataset.class_names == ("cat", "dog", "one")
    assert (dataset.channels, dataset.mean, dataset.std) == (1, (0.3,), (0.4,))
    counts = [dataset.train.count, dataset.validation.count, dataset.test.count]
    assert sum(counts) == 18
    assert min(counts) >= 3
    assert counts[0] == source.train_images
    assert len(source.test_names(dataset.test.count)) == counts[2]
    assert (tmp_path / "left_out.csv").read_text(encoding="utf-8").count("\n") == 1 + 21


@pytest.mark.parametrize(("weights", "mean"), [("none", (0.485, 0.456, 0.406)), ("digits", (0.305,) * 3)])
def test_colour_is_kept(messy_folder, tmp_path, weights, mean):
    """What the remark about grey images advises, and where there are no weights."""
    settings = Settings(str(messy_folder), "lambda_resnet_tiny", str(tmp_path), weights=weights, colour=True)
    preprocessor = find_start(settings).preprocessor
    assert preprocessor.mean == mean
    source = Files(messy_folder, preprocessor, seed=0)
    source.prepare(tmp_path, overwrite=False)
    assert source.load(Data(**source.data), tmp_path).channels == 3
    assert not any("grey" in remark for remark in source.remarks)


def test_a_folder_of_other_images_is_refused(messy_folder, image_copies, tmp_path):
    Files(messy_folder, GREY, seed=0).prepare(tmp_path, overwrite=False)
    Files(messy_folder, GREY, seed=0).prepare(tmp_path, overwrite=False)
    other = Files(image_copies, GREY, seed=0)
    with pytest.raises(UserError, match="holds a run on other images"):
        other.prepare(tmp_path, overwrite=False)
    other.prepare(tmp_path, overwrite=True)
    assert image_table.read(tmp_path / "images.csv")[0].path.is_relative_to(image_copies)


@pytest.fixture
def image_copies(encode, photo, tmp_path):
    """Two classes of three pictures."""
    for label in range(2):
        for number in range(3):
            file = tmp_path / "copies" / str(label) / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(photo(10 * label + number)))
    return tmp_path / "copies"


def test_too_few_images_for_three_parts(image_copies):
    for label in range(2):
        (image_copies / str(label) / "0.png").unlink()
    with pytest.raises(UserError, match="has too few images for validation: some class must have at least 3"):
        Files(image_copies, GREY, seed=0)


@pytest.mark.parametrize(
    ("preprocessor", "is_pretrained", "mean"),
    [(GREY, True, (0.3,)), (Preprocessor(32), True, (pytest.approx(0.449, abs=1e-3),)), (GREY, False, None)],
)
def test_a_dataset_of_the_catalog(preprocessor, is_pretrained, mean):
    source = CatalogDataset(Data(name="digits", image_size=32), None, preprocessor, is_pretrained)
    assert source.data.get("mean") == mean
    assert source.train_images == 1212
    dataset = source.load(Data(**source.data), None)
    assert (dataset.test.count, dataset.mean) == (450, mean or (0.305,))
    assert source.test_names(2) == ["0", "1"]
