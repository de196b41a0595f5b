import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection.model import MaskRCNN
from lambda_keras.zoo.detection.recipe import ANCHORS_PER_LOCATION, LEVELS, DetectorRecipe
from lambda_keras.zoo.errors import UserError
from tests.zoo.detection.training import recipe


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["training.gradient_accumulation=2"],
            r"one pass, got 2: its losses are divided by what a pass",
        ),
        (["training.warmup_steps=6"], "warmup_steps 6 must be below steps 6"),
        (["training.drops=[5,4]"], r"must rise between warmup_steps 2 and steps 6, got \[5, 4\]"),
        (["training.drops=[1]"], r"must rise between warmup_steps 2 and steps 6, got \[1\]"),
        (["training.drops=[6]"], r"must rise between warmup_steps 2 and steps 6, got \[6\]"),
        (["training.drops=[]"], "schedule: drops and drops go together"),
        (["training.schedule=cosine"], r"drops go together, got cosine and \[4\]"),
        (["training.epochs=3"], "unknown key training.epochs"),
        (["training.label_smoothing=0.1"], "unknown key training.label_smoothing"),
        (["data.image_size=100"], "data.image_size must be a multiple of 64, got 100"),
        (["data.scales=[2,1]"], "scales must be above 0, rising and at most 10"),
        (["model.architecture=retinanet"], "a retinanet has boxes alone; say masks: false"),
        (["data.mean=[0.5,0.5,0.5]"], "mean and std are given together"),
        (["model.frozen_stages=c6"], "model.frozen_stages must be 'c2', 'c3', 'c4' or 'c5', got 'c6'"),
        (["model.proposals=5"], r"model\.sampled_regions must be at most 9, what .*max_objects leave.* got 16"),
        (["model.sampled_anchors=2000"], "sampled_anchors must be at most the 1,023 anchors of an image of 64 pixels"),
        (["model.overrides.classes=3"], "classes must be left out: the detector decides"),
    ],
)
def test_what_does_not_fit_is_one_line(overrides, said):
    with pytest.raises(UserError, match=said) as error:
        recipe(*overrides)
    assert "\n" not in str(error.value)


def test_an_error_in_a_file_has_its_line(tmp_path):
    text = recipe_file.dump(recipe()).replace("steps: 6", "steps: none", 1)
    (tmp_path / "mine.yaml").write_text(text)
    line = text.splitlines().index("  steps: none") + 1
    with pytest.raises(UserError, match=rf"mine\.yaml, line {line}: training\.steps must be a valid integer"):
        recipe_file.load_as(DetectorRecipe, tmp_path / "mine.yaml")


def test_dump_is_read_back_as_the_same_recipe(tmp_path):
    (tmp_path / "mine.yaml").write_text(recipe_file.dump(recipe()))
    assert recipe_file.load_as(DetectorRecipe, tmp_path / "mine.yaml") == recipe()


def test_the_anchors_to_draw_from_are_those_of_the_model():
    anchors = MaskRCNN("lambda_resnet_tiny", classes=1, image_size=64, overrides={"stem": "vanilla"}).anchors
    assert (tuple(LEVELS), ANCHORS_PER_LOCATION) == (anchors.levels, anchors.per_location)
