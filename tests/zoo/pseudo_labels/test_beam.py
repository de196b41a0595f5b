"""What a pipeline labels. Run by `make test-beam`: Beam takes older versions of some packages than all others do."""

import numpy as np
import pytest

from lambda_keras.zoo.cli import main
from tests.zoo.pseudo_labels.conftest import FILES, LABEL, contents

pytest.importorskip("apache_beam", reason='it needs the extra "beam"')


def test_a_pipeline_makes_the_files_of_the_plain_command(labels, teacher_run, tmp_path, capsys):
    command = [*LABEL, "--teacher", str(teacher_run), "--out", str(tmp_path), "--runner", "DirectRunner"]
    assert main(command) == 0
    assert "450 images are labelled, 0 could not be read" in capsys.readouterr().out
    assert contents(tmp_path) == contents(labels)


def test_two_processes_make_the_same_records(labels, teacher_run, tmp_path, read_examples):
    options = ("direct_running_mode=multi_processing", "direct_num_workers=2")
    command = [*LABEL, "--teacher", str(teacher_run), "--out", str(tmp_path), "--runner", "DirectRunner"]
    assert main([*command, *(word for option in options for word in ("--runner-option", option))]) == 0
    for name in FILES:
        for found, expected in zip(read_examples(tmp_path / name), read_examples(labels / name), strict=True):
            assert [found[key] for key in ("id", "source", "classes")] == [
                expected[key] for key in ("id", "source", "classes")
            ]
            # Their graphs are optimised, those of tests are not (tests/compilation.py): the last digits differ.
            for key in ("probabilities", "rest"):
                np.testing.assert_allclose(found[key].float_list.value, expected[key].float_list.value, atol=1e-6)


def test_a_pipeline_goes_on_with_what_is_missing(labels, teacher_run, tmp_path):
    command = [*LABEL, "--teacher", str(teacher_run), "--out", str(tmp_path)]
    assert main([*command, "--shard", "0/2"]) == 0
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in FILES[::2]}
    assert main([*command, "--runner", "DirectRunner"]) == 0
    assert contents(tmp_path) == contents(labels)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in FILES[::2]} == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--runner", "DirektRunner"], "Beam does not take --runner DirektRunner"),
        (["--runner", "DirectRunner", "--runner-option", "direct_num_workers=x"], "invalid int value: 'x'"),
    ],
)
def test_user_errors_are_a_line_and_status_2(arguments, expected, teacher_run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*LABEL, "--teacher", str(teacher_run), "--out", str(out), *arguments]) == 2
    # Beam may have spoken before, when it was imported.
    assert expected in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


def test_a_pipeline_that_fails_is_a_line(pictures, colour_run, write_records, photo, encode, tmp_path, capsys):
    data = tmp_path / "data"
    data.mkdir()
    for name in "ab":
        write_records(data / f"{name}.tfrecord", [encode(photo(0))])
    (data / "b.tfrecord").write_bytes((data / "b.tfrecord").read_bytes()[:-20])
    command = ["pseudo-label", "--teacher", str(colour_run), "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*command, "--runner", "DirectRunner"]) == 2
    err = capsys.readouterr().err
    assert "the pipeline failed: cannot read the images: truncated record" in err
    assert "the same command resumes there" in err
