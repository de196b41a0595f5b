import contextlib
import dataclasses
import io
import resource
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from lambda_keras.export.images.labelled import is_arrays, load_labelled_images, load_test_images
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.image_file import prepare_image


def test_normalised_is_the_formula(model, arrays, data_file):
    data = load_labelled_images(data_file, model)
    expected = (arrays["images"][3:7].astype("float64") / 255 - arrays["mean"]) / arrays["std"]
    assert data.normalised(3, 7).dtype == np.float32
    np.testing.assert_allclose(data.normalised(3, 7), expected, atol=1e-6)
    np.testing.assert_array_equal(data.labels, arrays["labels"])


def test_a_missing_file_is_named(model, tmp_path):
    with pytest.raises(UserError, match=r"no such file: .*nothing.npz"):
        load_labelled_images(tmp_path / "nothing.npz", model)


def test_a_text_file_is_refused(model, tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(UserError, match=r"is not an .npz file"):
        load_labelled_images(tmp_path / "text.npz", model)


def test_missing_arrays_are_named(model, arrays, tmp_path):
    np.savez(tmp_path / "part.npz", images=arrays["images"], mean=arrays["mean"])
    with pytest.raises(UserError, match=r"lacks labels, std, it has \['images', 'mean'\]"):
        load_labelled_images(tmp_path / "part.npz", model)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("images", lambda images: images.astype("float32"), "expected images uint8 .* got float32"),
        ("images", lambda images: images[:, :-1], "expected images uint8"),
        ("images", lambda images: images[..., 0], "expected images uint8"),
        ("images", lambda images: images[:0], "expected images uint8 .* at least one, got uint8"),
        ("labels", lambda labels: labels[:-1], r"expected labels as integers \(37,\), got int64 \(36,\)"),
        ("labels", lambda labels: labels.astype("float32"), "expected labels as integers"),
        ("labels", lambda labels: labels + 10, "expected labels 0 to 9, got 1[0-9] to 19"),
        ("labels", lambda labels: labels.astype(object), "cannot be read: Object arrays cannot be loaded"),
        ("mean", lambda mean: mean[:0], "expected mean"),
    ],
)
def test_an_array_that_does_not_fit_is_named(model, arrays, tmp_path, name, change, message):
    path = tmp_path / "changed.npz"
    np.savez(path, allow_pickle=True, **{**arrays, name: change(arrays[name])})
    with pytest.raises(UserError, match=message):
        load_labelled_images(path, model)


def test_a_dataset_gives_all_of_its_test_part(digits_model, digits_record):
    data = load_test_images("digits", digits_model, digits_record)
    part = list(catalog.load(digits_record.data()).test.ordered().as_numpy_iterator())
    assert len(data.images) == len(part) == 450
    for index in (0, 63, 64, 449):  # of the first, second and last batch
        image, label = part[index]
        np.testing.assert_array_equal(data.images[index], prepare_image(image, digits_record.preprocessor, "digit"))
        assert data.labels[index] == label
    assert (data.mean, data.std) == (
        np.float32(digits_record.preprocessor.mean),
        np.float32(digits_record.preprocessor.std),
    )


def test_images_that_cannot_be_read_are_told(record, tmp_path, capsys):
    """Nine files of three classes, of which one of the three test images is damaged."""
    rows = ["path,label,split"]
    for index, image in enumerate(digits.load_arrays()[0][:9]):
        keras.utils.save_img(tmp_path / f"{index}.png", image, scale=False)
        rows.append(f"{index}.png,{'ABC'[index % 3]},{('train', 'validation', 'test')[index // 3]}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    (tmp_path / "7.png").write_text("no image")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(inputs)))
    record = dataclasses.replace(record.with_preprocessing(image_size=8), class_names=("A", "B", "C"))
    data = load_test_images("image_table", model, record, tmp_path / "table.csv")
    assert data.labels.tolist() == [0, 2]
    assert data.images.shape == (2, 8, 8, 3)
    words = "left out: 1 (damaged, or not a JPEG, PNG, BMP, GIF or WebP file)"
    assert capsys.readouterr().err == f"{words}: {tmp_path}/7.png\n"


@pytest.mark.parametrize(
    ("changes", "source", "data_dir", "words"),
    [
        ({}, "digitz", None, "--data digitz: no such file or folder, and as a dataset: .*did you mean 'digits'"),
        ({"mean": (0.5,) * 3, "std": (0.5,) * 3}, "digits", None, "3 channels, those of digits have 1"),
        ({"class_names": tuple("012345678X")}, "digits", None, "label 9, expected 'X', got '9'; give --data"),
        ({"class_names": tuple("012345678")}, "digits", None, "label 9, expected None, got '9'"),
        ({"image_size": 20}, "digits", None, r"does not fit the model: .*got uint8 \(450, 20, 20, 1\)"),
        ({}, "missing.npz", None, "no such file: missing.npz"),
        ({}, "missing.npz", ".", "--data-dir is for --data with the name of a dataset, got the path missing.npz"),
    ],
)  # fmt: skip
def test_a_source_that_does_not_fit_is_refused(digits_model, digits_record, changes, source, data_dir, words):
    if "class_names" in changes:
        record = dataclasses.replace(digits_record, **changes)
    else:
        record = digits_record.with_preprocessing(**changes)
    with pytest.raises(UserError, match=words):
        load_test_images(source, digits_model, record, data_dir)


@pytest.mark.parametrize("form", ["class folders", "parts", "table"])
def test_files_give_their_test_part_or_all(digits_model, digits_record, tmp_path, form, capsys):
    """Two classes of ten, the files of which have the model's own size."""
    pixels, labels = digits.load_arrays()
    chosen = [int(np.flatnonzero(labels == label)[0]) for label in (3, 5, 5)]
    rows = ["path,label,split"]
    for number, index in enumerate(chosen):
        folder = tmp_path / ("Test" if form == "parts" else "") / str(labels[index])
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / f"{number}.png", pixels[index].repeat(2, 0).repeat(2, 1), scale=False)
        rows.append(f"{labels[index]}/{number}.png,{labels[index]},test")
    rows += ["3/missing.png,3,test", "3/missing.png,3,train"]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    data = load_test_images(tmp_path / ("table.csv" if form == "table" else ""), digits_model, digits_record)
    assert data.labels.tolist() == [3, 5, 5]
    np.testing.assert_array_equal(data.images[0], pixels[chosen[0]].repeat(2, 0).repeat(2, 1))
    told = {
        "class folders": f"left out: 1 (beside the class folders): {tmp_path}/table.csv\n",
        "parts": "",
        "table": f"left out: 1 (not there, or not a file): {tmp_path}/3/missing.png\n",
    }
    assert capsys.readouterr().err == told[form]


def test_what_an_option_names(tmp_path):
    (tmp_path / "photo.jpg").touch()
    assert [is_arrays(tmp_path / name) for name in ("nowhere.npz", "photo.jpg")] == [True, True]
    assert [is_arrays(source) for source in ("digits", tmp_path, tmp_path / "nowhere.csv")] == [False, False, False]


def test_a_dataset_needs_a_record(digits_model):
    with pytest.raises(UserError, match=r"--data digits needs a record\.json beside the model"):
        load_test_images("digits", digits_model, None)


@pytest.fixture
def _little_memory():
    """400 MB more than this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 400_000_000, most))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


@pytest.mark.usefixtures("_little_memory")
def test_more_images_than_the_memory_holds(plain_model, digits_record):
    large = digits_record.with_preprocessing(image_size=1024)
    with pytest.raises(UserError, match="the 450 images of digits do not fit into memory"):
        load_test_images("digits", plain_model, large)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_another_normalisation_than_the_records_is_refused(model, record, data_file, name):
    assert len(load_test_images(data_file, model, record).images) == 37
    other = record.with_preprocessing(**{name: (0.4, 0.45, 0.51)})
    with pytest.raises(
        UserError, match=r"test\.npz has mean .* the model's record .*; give the test\.npz of this model"
    ):
        load_test_images(data_file, model, other)
    load_test_images(data_file, model, None)


def test_a_damaged_file_is_a_line(model, data_file, tmp_path):
    """Bytes changed by chance, most of them in the header and the directory, and files that end too soon."""
    content = data_file.read_bytes()
    random = np.random.default_rng(0)
    for number in range(150):
        damaged = bytearray(content[: len(content) if number % 2 else random.integers(len(content))])
        for place in random.integers(1, min(600, len(damaged)) or 1, 8):
            damaged[-place if number % 3 else place - 1] = random.integers(256)
        (tmp_path / "damaged.npz").write_bytes(damaged)
        with contextlib.suppress(UserError):
            load_labelled_images(tmp_path / "damaged.npz", model)


def test_an_array_that_claims_more_than_any_memory(model, arrays, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(tmp_path / "x.npz") as whole, zipfile.ZipFile(tmp_path / "test.npz", "w") as claiming:
        for name in whole.namelist():
            claiming.writestr(name, header.getvalue() if name == "images.npy" else whole.read(name))
    with pytest.raises(UserError, match=r"test\.npz cannot be read: .*; labelled images are the test\.npz"):
        load_labelled_images(tmp_path / "test.npz", model)
