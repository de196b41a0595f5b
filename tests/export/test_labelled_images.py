import numpy as np
import pytest

from export.labelled_images import load_labelled_images
from zoo.errors import UserError


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
        ("images", lambda images: images.astype("float32"), "expected images uint8 .* received float32"),
        ("images", lambda images: images[:, :-1], "expected images uint8"),
        ("images", lambda images: images[..., 0], "expected images uint8"),
        ("images", lambda images: images[:0], "expected images uint8 .* at least one, received uint8"),
        ("labels", lambda labels: labels[:-1], r"expected labels as integers \(37,\), received int64 \(36,\)"),
        ("labels", lambda labels: labels.astype("float32"), "expected labels as integers"),
        ("labels", lambda labels: labels + 10, "expected labels 0 to 9, received 1[0-9] to 19"),
        ("labels", lambda labels: labels.astype(object), "cannot be read: Object arrays cannot be loaded"),
        ("mean", lambda mean: mean[:0], "expected mean"),
    ],
)
def test_an_array_that_does_not_fit_is_named(model, arrays, tmp_path, name, change, message):
    path = tmp_path / "changed.npz"
    np.savez(path, allow_pickle=True, **{**arrays, name: change(arrays[name])})
    with pytest.raises(UserError, match=message):
        load_labelled_images(path, model)
