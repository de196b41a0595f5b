import pytest

from zoo import run_folder
from zoo.errors import UserError


def test_a_new_run_removes_the_files_of_the_old_one_and_no_others(tmp_path):
    (tmp_path / "model.keras").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    run_folder.start(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write a run to .*file.*--out"):
        run_folder.start(tmp_path / "file")


def test_replacing_shows_the_new_file_only_when_it_is_whole(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")
    with run_folder.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.suffix == ".keras"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("old")

    def fail_halfway():
        with run_folder.replacing(path) as partial:
            partial.write_text("half")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
