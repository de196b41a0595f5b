"""A path that TensorFlow takes as it is, whatever a folder is called."""

import pathlib

import pytest

from lambda_keras.wildcards import has_wildcards, without_wildcards


@pytest.mark.parametrize("name", ["runs[1]", "run*", "run?", "run\\1"])
def test_a_folder_with_wildcards_is_reached_by_a_link_without(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    with without_wildcards(name) as folder:
        assert not has_wildcards(folder)
        (folder / "file").write_text("written")
    assert not folder.exists()
    assert (tmp_path / name / "file").read_text() == "written"


def test_the_files_of_a_checkpoint_are_linked_one_by_one(tmp_path):
    for name in ("a[1]", "b"):
        for ending in (".index", ".data-00000-of-00001"):
            (tmp_path / f"{name}{ending}").write_text(name)
    with without_wildcards(str(tmp_path / "a[1]")) as prefix:
        assert not has_wildcards(prefix)
        assert sorted(path.name for path in prefix.parent.iterdir()) == ["link.data-00000-of-00001", "link.index"]
        assert prefix.with_name("link.index").read_text() == "a[1]"
    assert len(list(tmp_path.iterdir())) == 4


def test_any_other_path_is_given_back():
    with without_wildcards("runs/digits") as folder:
        assert folder == pathlib.Path("runs/digits")
