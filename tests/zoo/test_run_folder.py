import pytest

from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.errors import UserError


@pytest.fixture
def recipe():
    return recipe_file.load("digits")


def other(*overrides):
    return recipe_file.load("digits", overrides)


@pytest.fixture
def finished(tmp_path, recipe):
    """A folder with all that a run leaves, and two things that are not the run's."""
    folder = run_folder.start(tmp_path / "runs" / "digits", recipe)
    for name in run_folder.FILES[1:]:
        (folder / name).write_text("old")
    for name in (run_folder.CHECKPOINTS, run_folder.TENSORBOARD, run_folder.EVALUATION, "drawings"):
        (folder / name).mkdir()
        (folder / name / "file").write_text("old")
    (folder / "notes.txt").write_text("mine")
    return folder


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_new_folder_holds_the_resolved_recipe(tmp_path, recipe):
    run_folder.check(tmp_path / "new", recipe)
    folder = run_folder.start(str(tmp_path / "new" / "run"), recipe)
    assert folder == tmp_path / "new" / "run"
    assert [file.name for file in folder.iterdir()] == ["recipe.yaml"]
    assert recipe_file.load(str(folder / "recipe.yaml")) == recipe


def test_a_run_of_the_same_recipe_goes_on(finished, recipe):
    before = contents(finished)
    run_folder.check(finished, recipe)
    run_folder.start(finished, recipe)
    assert contents(finished) == before


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["training.epochs=11"], r"\(training.epochs 10 there, 11 here\)"),
        (["model.overrides.key_dim=8"], r"\(model.overrides \{\} there, \{'key_dim': 8\} here\)"),
        (
            ["training.ema_decay=0.9", "data.crop=none", "data.crop_padding=0"],
            r"\(data.crop 'pad' there, 'none' here; ",
        ),
        (
            ["training.seed=1", "model.name=lambda_resnet50"],
            r"here; training.seed 0 there, 1 here\).* --out.*--overwrite",
        ),
    ],
)
def test_a_run_of_another_recipe_is_refused_and_the_difference_named(finished, overrides, expected):
    with pytest.raises(UserError, match=f"holds a run with other settings .*{expected}"):
        run_folder.check(finished, other(*overrides))


def test_what_nothing_was_trained_of_is_in_nobodys_way(tmp_path, recipe):
    folder = run_folder.start(tmp_path, other("training.epochs=11"))
    run_folder.check(folder, recipe)
    run_folder.start(folder, recipe)
    (folder / run_folder.CHECKPOINTS).mkdir()
    with pytest.raises(UserError, match=r"training\.epochs 10 there, 11 here"):
        run_folder.check(folder, other("training.epochs=11"))


def test_a_damaged_recipe_is_refused(finished, recipe):
    (finished / "recipe.yaml").write_text("model: [")
    with pytest.raises(UserError, match=r"recipe\.yaml, line 1: not valid YAML"):
        run_folder.check(finished, recipe)


def test_overwriting_removes_the_run_and_nothing_else(finished):
    recipe = other("training.epochs=11")
    run_folder.start(finished, recipe, overwrite=True)
    expected = {"recipe.yaml": recipe_file.dump(recipe), "notes.txt": "mine", "drawings/file": "old"}
    assert contents(finished) == expected


def test_checkpoints_that_cannot_be_removed_stay_with_their_recipe(finished, recipe, monkeypatch):
    def fail(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(run_folder.shutil, "rmtree", fail)
    different = other("training.epochs=11")
    with pytest.raises(UserError, match=r"cannot write a run to .*: Permission denied; give another folder"):
        run_folder.start(finished, different, overwrite=True)
    assert (finished / run_folder.CHECKPOINTS / "file").exists()
    with pytest.raises(UserError, match=r"training\.epochs 10 there, 11 here"):
        run_folder.check(finished, different)


def test_a_folder_that_cannot_be_made(tmp_path, recipe):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write a run to .*file.*--out"):
        run_folder.start(tmp_path / "file" / "folder", recipe)
