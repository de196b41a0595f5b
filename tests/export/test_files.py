import errno
import os
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.export.files import put_files, scratch_folder, temporary_folder, write_array
from lambda_keras.zoo.errors import UserError
from tests.little_room import little_room


def test_it_is_inside_the_parent_hidden_and_gone_at_the_end(tmp_path):
    parent = tmp_path / "new" / "parent"
    with scratch_folder(parent) as scratch:
        (scratch / "file").write_text("half")
        assert scratch.parent == parent
        assert scratch.name.startswith(".")
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, FileNotFoundError])
def test_a_failure_removes_it_and_goes_on(tmp_path, failure):
    def write_half():
        with scratch_folder(tmp_path) as scratch:
            (scratch / "file").write_text("half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot write to .*file/folder: Not a directory"),
        scratch_folder(tmp_path / "file" / "folder"),
    ):
        pass


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        # What TensorFlow raises where it writes itself.
        tf.errors.ResourceExhaustedError(None, None, "/x/saved_model.pb; No space left on device"),
        tf.errors.OutOfRangeError(None, None, "/x/saved_model.pb; File too large"),
    ],
)
def test_no_room_is_named(tmp_path, failure):
    with (
        pytest.raises(UserError, match=r"cannot write to .*(No space|too large).*; make room"),
        scratch_folder(tmp_path),
    ):
        raise failure
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"cannot write to .*: Permission denied"), scratch_folder(tmp_path):
        pass


@pytest.fixture
def _temporary_files_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.mark.usefixtures("_temporary_files_in")
@pytest.mark.parametrize("parts", [1, 10])
def test_no_room_for_temporary_files_is_named(tmp_path, parts):
    array = np.zeros((10, 1000), "uint8")
    with (
        little_room(),
        pytest.raises(UserError, match=rf"cannot write to the temporary folder {tmp_path}: File too large; .* TMPDIR"),
        temporary_folder() as folder,
    ):
        write_array(folder / "a.npy", array.shape, "uint8", np.split(array, parts))
    assert list(tmp_path.iterdir()) == []


def test_no_temporary_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UserError, match="cannot make a temporary folder: No such file"), temporary_folder():
        pass


def test_an_array_in_parts_is_read_as_one(tmp_path):
    array = np.arange(35, dtype="float32").reshape(7, 5)
    write_array(tmp_path / "a.npy", array.shape, "float32", [array[:3], array[3:].astype("float64")])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), array)


def test_files_take_the_places_of_older_ones_and_of_no_folder(tmp_path):
    (tmp_path / "one").write_text("older")
    assert put_files(tmp_path, {"one": b"1", "two": b"2"}) == [tmp_path / "one", tmp_path / "two"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"one": b"1", "two": b"2"}
    (tmp_path / "three").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*three: Is a directory"):
        put_files(tmp_path, {"three": b"3"})
