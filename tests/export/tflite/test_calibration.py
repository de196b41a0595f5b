import re
import shutil

import numpy as np
import pytest

from lambda_keras.export.tflite.calibration import Calibration, load_calibration
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.image_file import prepare_image


@pytest.fixture
def save(digits_test, tmp_path):
    """Writes an .npz of these images; the digits' labels go round."""

    def save(images, mean=digits_test.mean):
        labels = np.resize(digits_test.labels, len(images))
        np.savez(tmp_path / "images.npz", images=images, labels=labels, mean=mean, std=digits_test.std)
        return tmp_path / "images.npz"

    return save


def test_every_fifth_image_checks_the_others(digits_model, digits_record, digits_test, save):
    calibration = load_calibration(save(digits_test.images[:100]), digits_model, 80, digits_record)
    is_check = np.arange(100) % 5 == 4
    np.testing.assert_array_equal(calibration.images, digits_test.images[:100][~is_check])
    np.testing.assert_array_equal(calibration.check_images, digits_test.images[:100][is_check])


def test_images_are_taken_from_the_whole_source(digits_model, digits_record, digits_test, save):
    calibration = load_calibration(save(digits_test.images[:400]), digits_model, 40, digits_record)
    assert (len(calibration.images), len(calibration.check_images)) == (40, 10)
    np.testing.assert_array_equal(calibration.images[0], digits_test.images[0])
    np.testing.assert_array_equal(calibration.check_images[-1], digits_test.images[399])


def test_a_small_source_is_used_up(digits_model, digits_record, digits_test, save):
    calibration = load_calibration(save(digits_test.images[:50]), digits_model, 200, digits_record)
    assert (len(calibration.images), len(calibration.check_images)) == (40, 10)


def test_the_last_batch_is_filled_with_the_first_images():
    images = np.arange(5, dtype="uint8").reshape(5, 1, 1, 1)
    calibration = Calibration(images, images[:0], mean=np.zeros(1, "float32"), std=np.full(1, 1 / 255, "float32"))
    batches = [batch.ravel().round().tolist() for batch in calibration.batches(3)]
    assert batches == [[0, 1, 2], [3, 4, 0]]


def test_a_folder_gives_what_its_files_hold(digits_model, digits_record, digits_calibration, digits_folder):
    """The files are digits at the model's own size, which need no resizing."""
    calibration = load_calibration(digits_folder, digits_model, 48, digits_record)
    assert (len(calibration.images), len(calibration.check_images)) == (48, 12)
    originals = {image.tobytes() for image in digits_calibration.images}
    assert {image.tobytes() for image in calibration.images} < originals
    assert calibration.mean.tolist() == [np.float32(0.305)]


def test_of_parts_and_tables_the_training_part_is_taken(digits_model, digits_record, digits_folder, tmp_path):
    (tmp_path / "train").symlink_to(digits_folder)
    (tmp_path / "test" / "7").mkdir(parents=True)
    (tmp_path / "test" / "7" / "text.png").write_text("hello")
    of_folder = load_calibration(tmp_path, digits_model, 48, digits_record)
    files = sorted(digits_folder.rglob("*.png"))
    rows = [f"{path},x,train" for path in files] + [f"{tmp_path}/test/7/text.png,x,test"]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,split", *rows]))
    of_table = load_calibration(tmp_path / "table.csv", digits_model, 48, digits_record)
    whole = load_calibration(digits_folder, digits_model, 48, digits_record)
    np.testing.assert_array_equal(of_folder.images, whole.images)
    np.testing.assert_array_equal(of_table.images, whole.images)


def test_a_file_of_more_pixels_than_asked_for_is_refused(digits_model, digits_record, digits_folder):
    with pytest.raises(UserError, match=r"raise --most-pixels; left out: 60 \(16x16 pixels, over the limit of 99\): /"):
        load_calibration(digits_folder, digits_model, 48, digits_record, most_pixels=99)


def test_a_dataset_gives_its_training_part(digits_model, digits_record):
    calibration = load_calibration("digits", digits_model, 48, digits_record)
    assert (len(calibration.images), len(calibration.check_images)) == (48, 12)
    train = catalog.load(digits_record.data()).train.ordered().as_numpy_iterator()
    allowed = {prepare_image(image, digits_record.preprocessor, "digit").tobytes() for image, _ in train}
    assert {image.tobytes() for image in (*calibration.images, *calibration.check_images)} <= allowed


@pytest.mark.parametrize(
    ("name", "data_dir", "words"),
    [
        ("digitz", None, "--calibration digitz: no such file or folder, and as a dataset: .*did you mean 'digits'"),
        ("fashion_mnist", ".", "as a dataset: no prepared dataset 'fashion_mnist' .* with --data-dir"),
    ],
)
def test_a_dataset_that_is_not_there_is_named(digits_model, digits_record, name, data_dir, words):
    with pytest.raises(UserError, match=words):
        load_calibration(name, digits_model, 48, digits_record, data_dir)


def test_a_dataset_of_other_channels_is_refused(digits_model, record):
    with pytest.raises(UserError, match="takes images with 3 channels, those of digits have 1"):
        load_calibration("digits", digits_model, 48, record)


def test_a_folder_of_data_is_for_datasets(digits_model, digits_record, digits_folder):
    with pytest.raises(UserError, match="--data-dir is for --calibration with the name of a dataset, got the path"):
        load_calibration(digits_folder, digits_model, 48, digits_record, digits_folder)


@pytest.mark.parametrize("source", ["FOLDER", "digits"])
def test_raw_images_need_a_record(digits_model, digits_folder, source):
    with pytest.raises(UserError, match=r"needs a record.json beside the model"):
        load_calibration(digits_folder if source == "FOLDER" else source, digits_model, 48, None)


def test_an_archive_needs_none(digits_model, digits_test, save):
    assert len(load_calibration(save(digits_test.images[:50]), digits_model, 48, None).images) == 40


def test_a_folder_without_images_is_named(digits_model, digits_record, tmp_path):
    with pytest.raises(UserError, match=r"has no image files \(endings .jpg"):
        load_calibration(tmp_path, digits_model, 48, digits_record)


def test_what_cannot_be_read_is_left_out_and_named(digits_model, digits_record, digits_folder, tmp_path, capsys):
    """Besides the sixty digits, of which 48 are needed to set the ranges, and 12 to check them."""
    (tmp_path / "digits").symlink_to(digits_folder)
    (tmp_path / "text.png").write_text("hello")
    rows = [f"digits/{path.relative_to(digits_folder)},x" for path in sorted(digits_folder.rglob("*.png"))]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows, "text.png,x", "no.png,x"]))
    calibration = load_calibration(tmp_path / "table.csv", digits_model, 200, digits_record)
    assert (len(calibration.images), len(calibration.check_images)) == (48, 12)
    assert capsys.readouterr().err.splitlines() == [
        f"left out: 1 (not there, or not a file): {tmp_path}/no.png",
        f"left out: 1 (damaged, or not a JPEG, PNG, BMP, GIF or WebP file): {tmp_path}/text.png",
    ]
    with pytest.raises(UserError, match=r"can read no image of .*; give others.*; left out: 1 \(damaged, .*/text.png$"):
        load_calibration(tmp_path, digits_model, 200, digits_record)


def test_where_no_part_is_for_training_all_are_taken(digits_model, digits_record, digits_folder, tmp_path):
    whole = load_calibration(digits_folder, digits_model, 48, digits_record)
    rows = [f"{path},x,test" for path in sorted(digits_folder.rglob("*.png"))]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,split", *rows]))
    (tmp_path / "parts").mkdir()
    shutil.copytree(digits_folder, tmp_path / "parts" / "test")
    for source in ("table.csv", "parts"):
        calibration = load_calibration(tmp_path / source, digits_model, 48, digits_record)
        np.testing.assert_array_equal(calibration.images, whole.images)


def test_damaged_images_of_a_dataset_are_left_out(digits_model, digits_record, digits_folder, tmp_path, capsys):
    folder = shutil.copytree(digits_folder, tmp_path / "digits")
    for path in sorted(folder.rglob("*.png"))[::2]:
        path.write_text("hello")
    with pytest.raises(UserError, match="calibration needs at least 32 different images"):
        load_calibration("image_folder", digits_model, 48, digits_record, folder)
    assert re.match(r"left out: \d+ \(damaged, or not .*\): an image of image_folder, ", capsys.readouterr().err)


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images[:35],
        lambda images: np.resize(images[:20], images.shape),
        lambda images: images[:, :1, :1].repeat(16, axis=1).repeat(16, axis=2),
    ],
    ids=["too few", "copies", "of one colour"],
)
def test_too_little_variety_is_refused(digits_model, digits_record, digits_test, save, change):
    with pytest.raises(UserError, match="at least 32 different images that are not of one colour"):
        load_calibration(save(change(digits_test.images)), digits_model, 200, digits_record)


def test_too_small_a_number_is_refused(digits_model, digits_record, digits_test, save):
    with pytest.raises(UserError, match="--calibration-images must be at least 32, got 31"):
        load_calibration(save(digits_test.images), digits_model, 31, digits_record)


def test_another_normalisation_than_the_record_is_refused(digits_model, digits_record, digits_test, save):
    with pytest.raises(UserError, match=r"has mean \[0.5\] .* the model's record \[0.305\]"):
        load_calibration(save(digits_test.images, np.float32([0.5])), digits_model, 200, digits_record)


def test_images_that_do_not_fit_the_model_are_refused(digits_record, plain_model, digits_test, save):
    with pytest.raises(UserError, match="does not fit the model"):
        load_calibration(save(digits_test.images), plain_model, 200, digits_record)
