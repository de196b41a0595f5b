"""The packaged recipes of detectors: each says what to expect and to type, and the paper's have the paper's values."""

import pytest
import yaml

import lambda_keras as lk
from lambda_keras.applications.registry import get_config
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection.recipe import DetectorData, DetectorModel, DetectorRecipe, DetectorTraining

RECIPES = recipe_file.packaged(DetectorRecipe)
# LambdaNetworks (arXiv 2102.08602), Mask R-CNN on COCO: backbone, AP of boxes and of masks.
PAPER = {
    "resnet101": ("resnet_rs101_no_se", "48.2", "42.6"),
    "resnet101_se": ("resnet_rs101", "48.5", "42.8"),
    "lambda_resnet101": ("lambda_resnet101", "49.4", "43.5"),
    "resnet152": ("resnet_rs152_no_se", "48.9", "43.2"),
    "resnet152_se": ("resnet_rs152", "49.4", "43.5"),
    "lambda_resnet152": ("lambda_resnet152", "50.0", "43.9"),
}
OTHERS = {"mask_rcnn_lambda_resnet50", "retinanet_lambda_resnet50", "stamps", "stamps_convolutions"}


def test_no_recipe_is_left_out_here():
    assert set(RECIPES) == {f"mask_rcnn_{name}" for name in PAPER} | OTHERS


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_comments_say_what_to_expect_its_source_and_what_to_type(name):
    comments = RECIPES[name].read_text(encoding="utf-8").partition("\nmodel:")[0].splitlines()
    assert recipe_file.expected(name, DetectorRecipe)
    assert len(comments) == 3
    assert all(comment.startswith("# ") for comment in comments)
    assert comments[2].startswith(f"# lambda-zoo detect train --recipe {name} ")


@pytest.mark.parametrize("name", RECIPES)
def test_only_what_differs_from_the_defaults_is_written(name):
    recipe_file.load_as(DetectorRecipe, name)
    written = yaml.safe_load(RECIPES[name].read_text(encoding="utf-8"))
    for section, schema in (("model", DetectorModel), ("data", DetectorData), ("training", DetectorTraining)):
        defaults = {key: field.default for key, field in schema.model_fields.items()}
        assert not {key for key, value in written[section].items() if value == defaults[key]}
    config = get_config(written["model"]["backbone"])
    overrides = written["model"].get("overrides", {})
    assert not {key for key, value in overrides.items() if value == getattr(config, key)}


@pytest.mark.parametrize("row", [*PAPER, "lambda_resnet50"])
def test_the_settings_are_the_papers(row):
    backbone, box, mask = PAPER.get(row, (row, None, None))
    recipe = recipe_file.load_as(DetectorRecipe, f"mask_rcnn_{row}")
    # Without it an eighth of the batch would not fit into 80 GB.
    overrides = {"remat": "blocks"}
    assert (recipe.model.backbone, recipe.model.overrides, recipe.model.weights) == (backbone, overrides, None)
    assert recipe.model.masks
    assert (recipe.data.image_size, recipe.data.scales) == (1024, (0.1, 2.0))
    training = recipe.training
    assert (training.steps, training.batch_size, training.warmup_steps) == (130_000, 256, 1000)
    assert (training.learning_rate, training.weight_decay) == (0.32, 4e-5)
    # 90, 95 and 97.5 % of the steps.
    assert training.drops == (117_000, 123_500, 126_750)
    assert (training.schedule, training.drop_factor, training.synchronized_batch_norm) == ("drops", 0.1, True)
    expected = recipe_file.expected(f"mask_rcnn_{row}", DetectorRecipe)
    assert expected.startswith(f"{box} % boxes, {mask} % masks" if box else "unknown")


def test_the_two_of_stamps_differ_in_the_layers_alone():
    one, other = (recipe_file.load_as(DetectorRecipe, name) for name in ("stamps", "stamps_convolutions"))
    assert (one.data, one.training) == (other.data, other.training)
    assert one.model.model_dump(exclude={"overrides"}) == other.model.model_dump(exclude={"overrides"})
    assert other.model.overrides["lambda_blocks"] == [[], [], [], []]
    work = [
        lk.count_multiply_adds(
            lk.create_model(
                recipe.model.backbone, input_shape=(320, 320, 3), features_only=True, **recipe.model.overrides
            )
        )
        for recipe in (one, other)
    ]
    assert work[1] == pytest.approx(work[0], rel=0.01)
