import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.detection.dry_run import dry_run
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from lambda_keras.zoo.errors import UserError
from tests.zoo.detection.training import load_parts, recipe, write_pictures
from tests.zoo.training.test_dry_run import figures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as COCO's whose pictures are no images: no picture is read."""
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    for picture in folder.glob("*/*.png"):
        picture.write_text("no picture")
    for part in ("train", "val"):
        (folder / f"{part}.json").rename(folder / f"instances_{part}.json")
    return folder


def test_the_figures(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(recipe_file.dump(recipe()))
    arguments = ["--recipe", "small.yaml", "--data", str(folder), "--dry-run", "--replicas", "2"]
    assert main(["detect", "train", *arguments]) == 0
    text = capsys.readouterr().out
    facts = figures(text)
    assert facts["model"] == "mask_rcnn on lambda_resnet_tiny"
    assert facts["classes"] == "2"
    assert facts["pictures"] == "6 train, 3 validation"
    assert facts["steps"] == "6 (2 times all pictures), an evaluation every 3"
    assert facts["each replica"] == "1 images at a time: batch 2 / 2 replicas / 1 passes"
    parts = ("weights", "gradients", "optimizer", "moving average", "activations", "input batch")
    sizes = {part: float(facts[part].split()[0]) for part in parts}
    # By hand: a picture of 64 by 64, once as uint8, once in float32, once the next.
    assert sizes["input batch"] == pytest.approx(64 * 64 * 3 * 6 / 1e9, rel=0.01)
    # The momentum and the average of each number.
    assert sizes["optimizer"] == pytest.approx(sizes["gradients"], rel=0.01)
    assert sizes["moving average"] == pytest.approx(sizes["gradients"], rel=0.01)
    assert sizes["gradients"] == pytest.approx(float(facts["parameters"].split()[0]) * 4e6 / 1e9, rel=0.1)
    # What is kept of the largest maps of the pyramid alone, which have 16 by 16 places of 8 channels.
    assert 16 * 16 * 8 * 4 * 3 / 1e9 < sizes["activations"] < 0.1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.yaml"]
    (tmp_path / "resolved.yaml").write_text(text)
    assert recipe_file.load_as(DetectorRecipe, "resolved.yaml") == recipe()


def test_user_errors(tmp_path):
    write_pictures(tmp_path / "pictures")
    parts = load_parts(tmp_path / "pictures")
    with pytest.raises(UserError, match="--replicas must be at least 1, got 0"):
        dry_run(recipe(), parts, replicas=0)
    with pytest.raises(UserError, match=r"training\.batch_size 2 must be a multiple of 3"):
        dry_run(recipe(), parts, replicas=3)
