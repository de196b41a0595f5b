"""A file is the old one or the new one, whole."""

import keras
import pytest

from lambda_keras.atomic import replacing


def test_shows_the_new_file_only_when_it_is_whole(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")

    def fail_halfway():
        with replacing(path) as partial:
            partial.write_text("half")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "save"), [("model.keras", "save"), ("best.weights.h5", "save_weights")])
def test_gives_the_ending_that_keras_asks_for(tmp_path, name, save):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with replacing(tmp_path / name) as partial:
        getattr(model, save)(partial)
    assert [file.name for file in tmp_path.iterdir()] == [name]
