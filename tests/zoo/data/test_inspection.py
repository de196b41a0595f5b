import numpy as np
import pytest
from PIL import Image

from lambda_keras.zoo import plots, recipe_file
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.inspection import inspect_data
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training import co_training
from tests.zoo import pseudo_shards


def test_it_prints_sizes_and_draws_a_sheet(tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    assert main(["inspect-data", "--recipe", "digits", "data.image_size=16", "--out", str(sheet)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train: 1,212 images",
        "validation: 135 images",
        "test: 450 images",
        "classes: 10",
        "could not be read: 0 of the 48 images shown",
        f"Wrote {sheet}",
    ]
    pixels = np.asarray(Image.open(sheet).convert("L"))
    assert pixels.std() > 30
    assert list(tmp_path.iterdir()) == [sheet]


def test_images_that_cannot_be_read_are_counted(tmp_path, capsys):
    for part in ("train", "validation", "test"):
        for name in ("good", "bad"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(4):
                file = tmp_path / part / name / f"{number}.png"
                Image.new("RGB", (8, 8), "red").save(file)
                if name == "bad":
                    file.write_bytes(b"not an image")
    recipe = recipe_file.load("image_folder", ["data.image_size=8", "data.randaugment_layers=0"])
    inspect_data(recipe, tmp_path / "sheet.png", tmp_path)
    # Six epochs of four images of each class.
    assert "could not be read: 24 of the 48 images shown" in capsys.readouterr().out


def test_pseudo_labelled_images_stand_below_the_labelled_ones(tmp_path, capsys, monkeypatch):
    folder, _ = pseudo_shards.write(tmp_path / "selected")
    drawn = {}
    monkeypatch.setattr(plots, "contact_sheet", lambda images, names, *rest: drawn.update(images=images, names=names))
    overrides = [f"data.pseudo={{folder: {folder}, share: 0.75}}", "data.image_size=8"]
    recipe = recipe_file.load("digits", overrides)
    inspect_data(recipe, tmp_path / "sheet.png")
    out = capsys.readouterr().out
    assert "pseudo-labelled: 60 images, by a teacher, 0.75 of a batch" in out
    assert "could not be read: 0 of the 96 images shown" in out
    # Those that a training begins with: 24 of its first 32 images are pseudo-labelled.
    task = co_training.task_of(recipe, catalog.load(recipe.data))
    batch = next(task.batches(batch_size=32, start=0, shard=0, num_shards=1).as_numpy_iterator())
    np.testing.assert_array_equal(drawn["images"][:8], batch["image"][:8])
    np.testing.assert_array_equal(drawn["images"][48:72], batch["image"][8:])
    assert [name for name in drawn["names"][48:72]] == [f"{label} 60%" for label in batch["target"][8:].argmax(axis=1)]


@pytest.mark.parametrize("out", ["sheet.jpg", "nowhere/sheet.png", "sheet"])
def test_files_that_cannot_be_written(out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "lambda_keras.zoo.data.inspection.catalog.load", lambda *arguments: pytest.fail("checked too late")
    )
    with pytest.raises(UserError, match=f"--out takes a .png file in a folder that exists, got {out}"):
        inspect_data(recipe_file.load("digits"), out)


def test_missing_data(tmp_path, capsys):
    arguments = ["inspect-data", "--recipe", "image_folder", "--data-dir", str(tmp_path / "nowhere")]
    assert main([*arguments, "--out", str(tmp_path / "sheet.png")]) == 2
    assert "needs a folder of images" in capsys.readouterr().err
    assert not (tmp_path / "sheet.png").exists()
