import pytest

from lambda_keras.zoo import recipe_file, run_folder
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.evaluation.run import CLASSES, CONFUSION, FIGURES


@pytest.fixture
def recipe():
    return recipe_file.load("digits")


def other(*overrides):
    return recipe_file.load("digits", overrides)


@pytest.fixture
def finished(tmp_path, recipe):
    """A folder with all that a run leaves."""
    folder = run_folder.start(tmp_path / "runs" / "digits", recipe)
    for name in run_folder.FILES[1:]:
        (folder / name).write_text("old")
    for name in (run_folder.CHECKPOINTS, run_folder.TENSORBOARD, run_folder.EVALUATION):
        (folder / name).mkdir()
        (folder / name / "file").write_text("old")
    return folder


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_new_folder_holds_the_resolved_recipe(tmp_path, recipe):
    run_folder.check(tmp_path / "new", recipe)
    folder = run_folder.start(str(tmp_path / "new" / "run"), recipe)
    assert folder == tmp_path / "new" / "run"
    assert [file.name for file in folder.iterdir()] == ["recipe.yaml"]
    assert recipe_file.load(str(folder / "recipe.yaml")) == recipe


def test_what_a_killed_run_was_writing_is_removed(tmp_path, recipe):
    left, other = ".partial.0123abcd.model.keras", ".partial.0123abcd.explanation.png"
    write(tmp_path, (left, other))
    run_folder.start(tmp_path, recipe)
    assert contents(tmp_path).keys() == {"recipe.yaml", other}


def test_a_run_of_the_same_recipe_goes_on(finished, recipe):
    before = contents(finished)
    run_folder.check(finished, recipe)
    run_folder.start(finished, recipe)
    assert contents(finished) == before


STREAMS = {"order": "16 streams of records"}


def test_a_run_goes_on_with_the_order_of_images_that_it_had(finished):
    run_folder.write_input(finished, STREAMS)
    run_folder.check_input(finished, STREAMS)
    with pytest.raises(UserError, match=r"16 streams of records'\} there, \{'order': '8 streams.*--overwrite"):
        run_folder.check_input(finished, {"order": "8 streams of records"})
    # Images that are read by their index.
    run_folder.write_input(finished, {})
    run_folder.check_input(finished, {})


def test_a_run_from_before_there_were_streams_is_refused_with_the_reason(finished):
    (finished / run_folder.INPUT).unlink()
    with pytest.raises(UserError, match=r"none written, as before record files were read in streams there, \{'order'"):
        run_folder.check_input(finished, STREAMS)


def test_an_input_file_that_is_damaged(finished):
    with pytest.raises(UserError, match=r"cannot read .*input\.json: .*; give another folder with --out"):
        run_folder.check_input(finished, STREAMS)


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


def test_pseudo_labels_that_differ_are_named_key_by_key(finished):
    labels = "data.pseudo={folder: a, share: 0.5}"
    with pytest.raises(UserError, match=r"\(data\.pseudo None there, \{'folder': 'a', 'share': 0\.5, .*\} here\)"):
        run_folder.check(finished, other(labels))
    (finished / run_folder.RECIPE).write_text(recipe_file.dump(other(labels)))
    with pytest.raises(UserError, match=r"\(data\.pseudo\.folder 'a' there, 'b' here; data\.pseudo\.share 0\.5 there"):
        run_folder.check(finished, other("data.pseudo={folder: b, share: 0.75}"))


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


WRITTEN = (
    "checkpoints/checkpoint",
    "checkpoints/ckpt-12.index",
    "checkpoints/ckpt-12.data-00000-of-00001",
    "checkpoints/ckpt-13_temp/part-00000-of-00001.index",
    "tensorboard/training/events.out.tfevents.1.host.2.0.v2",
    "tensorboard/validation/events.out.tfevents.1.host.2.1.v2",
    "tensorboard/position_tables/events.out.tfevents.1.host.2.2.v2",
    *(f"evaluation/{name}" for name in (FIGURES, CLASSES, CONFUSION)),
)


def write(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("old")


def test_overwriting_removes_the_run_and_nothing_else(tmp_path, recipe):
    folder = run_folder.start(tmp_path, recipe)
    write(folder, (*run_folder.FILES[1:], *WRITTEN))
    mine = ("notes.txt", "drawings/a", "checkpoints/ckpt-12-good.index", "evaluation/notes.txt", "tensorboard/other/a")
    write(folder, mine)
    changed = other("training.epochs=11")
    run_folder.check(folder, changed, overwrite=True)
    run_folder.start(folder, changed, overwrite=True)
    assert contents(folder) == {"recipe.yaml": recipe_file.dump(changed), **dict.fromkeys(mine, "old")}


def test_overwriting_leaves_no_empty_folder(tmp_path, recipe):
    folder = run_folder.start(tmp_path, recipe)
    write(folder, WRITTEN)
    run_folder.start(folder, recipe, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["recipe.yaml"]


def test_checkpoints_behind_a_link_are_removed_and_the_link_stays(tmp_path, recipe):
    folder = run_folder.start(tmp_path / "run", recipe)
    write(tmp_path, ("large/ckpt-1.index", "large/other"))
    (folder / "checkpoints").symlink_to(tmp_path / "large")
    run_folder.start(folder, recipe, overwrite=True)
    assert [path.name for path in (tmp_path / "large").iterdir()] == ["other"]
    assert (folder / "checkpoints").is_symlink()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["model.keras", "checkpoints/a", "metrics.csv"])
def test_what_is_no_run_is_refused_and_stays(tmp_path, recipe, overwrite, name):
    write(tmp_path, (name, "evaluation/a"))
    before = contents(tmp_path)
    with pytest.raises(UserError, match=rf"holds {name.partition('/')[0]}, but no run, .* --out, or move them away"):
        run_folder.check(tmp_path, recipe, overwrite)
    run_folder.remove(tmp_path)
    assert contents(tmp_path) == before


def test_a_recipe_of_another_kind_is_no_run(tmp_path, recipe):
    write(tmp_path, ("model.keras",))
    (tmp_path / "recipe.yaml").write_text("flour: 500")
    with pytest.raises(UserError, match=r"holds no run that --overwrite can remove: .*flour.*--out"):
        run_folder.check(tmp_path, recipe, overwrite=True)


def test_a_folder_without_a_run_can_be_overwritten(tmp_path, recipe):
    write(tmp_path, ("notes.txt", "evaluation/evaluation.json"))
    run_folder.check(tmp_path, recipe, overwrite=True)
    run_folder.start(tmp_path, recipe, overwrite=True)
    assert contents(tmp_path).keys() == {"notes.txt", "evaluation/evaluation.json", "recipe.yaml"}


def test_checkpoints_that_cannot_be_removed_stay_with_their_recipe(tmp_path, recipe, monkeypatch):
    def fail(path, missing_ok=False):
        raise OSError("no number, some words")

    folder = run_folder.start(tmp_path, recipe)
    write(folder, WRITTEN)
    different = other("training.epochs=11")
    with monkeypatch.context() as patch:
        patch.setattr(run_folder.Path, "unlink", fail)
        with pytest.raises(UserError, match=r"cannot write a run to .*: no number, some words; give another folder"):
            run_folder.start(folder, different, overwrite=True)
    with pytest.raises(UserError, match=r"training\.epochs 10 there, 11 here"):
        run_folder.check(folder, different)


def test_a_folder_that_cannot_be_made(tmp_path, recipe):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write a run to .*file.*--out"):
        run_folder.start(tmp_path / "file" / "folder", recipe)
