"""A file is the old one or the new one, whole."""

import os
import stat

import keras
import pytest

from lambda_keras.atomic import partials, replacing


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


def test_two_writers_of_one_name_do_not_meet(tmp_path):
    path = tmp_path / "metrics.csv"
    with replacing(path) as slow:
        slow.write_text("the first half of a long text, ")
        with replacing(path) as fast:
            fast.write_text("short")
        assert path.read_text() == "short"
        with slow.open("a") as file:
            file.write("and the second")
    assert path.read_text() == "the first half of a long text, and the second"
    assert list(tmp_path.iterdir()) == [path]


def test_links_that_lie_there_are_not_followed(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("mine")
    names = iter(["00000000", "11111111"])
    monkeypatch.setattr("lambda_keras.atomic.secrets.token_hex", lambda count: next(names))
    (tmp_path / ".partial.00000000.metrics.csv").symlink_to(tmp_path / "secret")
    with replacing(tmp_path / "metrics.csv") as partial:
        partial.write_text("new")
    assert (tmp_path / "secret").read_text() == "mine"
    assert not (tmp_path / "metrics.csv").is_symlink()


@pytest.mark.parametrize("name", ["a" * 250 + ".csv", "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 120 + ".weights.h5"])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, name):
    with replacing(tmp_path / name) as partial:
        partial.write_text("new")
        assert partial.name.endswith(name[-11:])
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_is_that_of_the_umask_whatever_the_writer_makes(tmp_path, umask):
    path = tmp_path / "model.safetensors"
    before = os.umask(umask)
    try:
        with replacing(path) as partial:
            # As safetensors does it: another file takes the name.
            other = tmp_path / "other"
            other.touch(0o600)
            other.replace(partial)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_what_a_killed_writer_left_is_found(tmp_path):
    with replacing(tmp_path / "model.keras") as partial, replacing(tmp_path / "my.model.keras"):
        assert partials(tmp_path / "model.keras") == [partial]


@pytest.mark.parametrize("name", ["model[1].keras", "*.keras", "a" * 200 + ".keras"])
def test_it_is_found_whatever_the_file_is_called(tmp_path, name):
    with replacing(tmp_path / name) as partial, replacing(tmp_path / "model1.keras"):
        assert partials(tmp_path / name) == [partial]
