import os
import sys

from lambda_keras.export.standard_error import standard_error_to


def test_everything_goes_to_the_file_until_the_block_ends(tmp_path, capfd, monkeypatch):
    # As in a process without pytest, whose own sys.stderr has a file of its own.
    monkeypatch.setattr(sys, "stderr", os.fdopen(2, "w", closefd=False))
    with standard_error_to(tmp_path / "errors.log"):
        print("of Python", file=sys.stderr)
        os.write(2, b"of C++\n")
    print("afterwards", file=sys.stderr, flush=True)
    assert (tmp_path / "errors.log").read_text().split("\n") == ["of C++", "of Python", ""]
    assert capfd.readouterr().err == "afterwards\n"
