import importlib.util

import pytest

from lambda_keras.zoo.cli import main

COMPLETE = ["--teacher", "x", "--data", "y", "--out", "z"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "the following arguments are required: --teacher, --data, --out"),
        (["--teacher", "x", "--out", "y"], "the following arguments are required: --data (see"),
        (["selekt"], "invalid choice: 'selekt'"),
        (["select"], "the following arguments are required: LABELS, --out"),
        (["select", "nowhere", "--out", "x"], "nowhere has no labels.json"),
        (["select", "nowhere", "--out", "x", "--shards", "0"], "expected a whole number of at least 1"),
        (["--shard", "1/1"], "expected I/N with I from 0 to N-1"),
        (["--shard", "1"], "expected I/N with I from 0 to N-1"),
        ([*COMPLETE, "--shard", "0/2", "--runner", "DirectRunner"], "--runner shares the work itself"),
        ([*COMPLETE, "--runner-option", "project=birds"], "name its runner with --runner"),
    ],
)
def test_user_errors_are_one_line_and_status_2(arguments, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["pseudo-label", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="the extra is installed")
def test_a_pipeline_without_beam_names_the_extra(capsys):
    assert main(["pseudo-label", *COMPLETE, "--runner", "DirectRunner"]) == 2
    assert "this needs the extra beam: pip install 'lambda-keras[beam]'" in capsys.readouterr().err
