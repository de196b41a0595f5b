from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.image_file import _prepare, read_image


def test_the_middle_is_kept_at_the_size_of_the_record(colour_record, tmp_path):
    """Twice as wide as the model's images: of red, green and red the green square in the middle stays."""
    image = np.zeros((8, 16, 3), "uint8")
    image[:, :4, 0] = image[:, 4:12, 1] = image[:, 12:, 0] = 255
    keras.utils.save_img(tmp_path / "image.png", image, scale=False)
    result = read_image(tmp_path / "image.png", colour_record.preprocessor)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, image[:, 4:12])


def test_threads_that_wait_for_the_first_trace_are_no_traces(colour_record, tmp_path, caplog):
    keras.utils.save_img(tmp_path / "image.png", np.zeros((8, 16, 3), "uint8"), scale=False)
    _prepare.cache_clear()
    with ThreadPoolExecutor(16) as readers:
        list(readers.map(lambda path: read_image(path, colour_record.preprocessor), [tmp_path / "image.png"] * 64))
    assert "retracing" not in caplog.text


def test_what_cannot_be_decoded_is_named(colour_record, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(UserError, match=r"cannot decode .*text.png"):
        read_image(tmp_path / "text.png", colour_record.preprocessor)
    with pytest.raises(UserError, match=r"cannot read .*none.png: No such file"):
        read_image(tmp_path / "none.png", colour_record.preprocessor)
