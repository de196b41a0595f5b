"""One training at a time in a folder."""

import fcntl
import os
import signal
import subprocess

import pytest

from lambda_keras.zoo import folder_lock
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.folder_lock import LOCK, locked


def test_a_second_training_is_refused_and_told_whose_the_folder_is(tmp_path):
    expected = rf"another training \(process {os.getpid()} on .*--out"
    with locked(tmp_path), pytest.raises(UserError, match=expected), locked(str(tmp_path)):
        pass
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("error", [None, KeyError])
def test_nothing_is_left_not_even_the_folders_that_it_made(tmp_path, error):
    def use():
        with locked(tmp_path / "runs" / "digits"):
            assert (tmp_path / "runs" / "digits" / LOCK).exists()
            if error:
                raise error

    if error:
        with pytest.raises(error):
            use()
    else:
        use()
    assert not list(tmp_path.iterdir())


def test_what_was_written_stays(tmp_path):
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "model.keras").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["model.keras"]


KILL = """
import os, sys
from lambda_keras.zoo.folder_lock import locked
with locked(sys.argv[1]):
    os.kill(os.getpid(), 9)
"""


def test_a_kill_ends_the_lock(tmp_path, warm_python):
    assert subprocess.run([*warm_python, "-c", KILL, tmp_path]).returncode == -signal.SIGKILL
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass


def test_a_lock_whose_file_its_holder_has_just_removed_is_taken_anew(tmp_path, monkeypatch):
    flock, calls = fcntl.flock, []

    def remove_first(file, operation):
        if not calls:
            (tmp_path / LOCK).unlink()
        calls.append(file)
        flock(file, operation)

    monkeypatch.setattr(folder_lock.fcntl, "flock", remove_first)
    with locked(tmp_path):
        assert len(calls) == 2
        with pytest.raises(UserError, match="another training"), locked(tmp_path):
            pass


def test_without_locks_in_the_file_system_nobody_is_kept_out(tmp_path, monkeypatch):
    def fail(file, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(folder_lock.fcntl, "flock", fail)
    with locked(tmp_path), locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    expected = r"cannot write to .*file/run: Not a directory; give another"
    with pytest.raises(UserError, match=expected), locked(tmp_path / "file" / "run"):
        pass
