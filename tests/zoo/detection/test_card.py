import dataclasses

import keras
import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.detection import card
from lambda_keras.zoo.detection.recipe import DetectorRecipe
from tests.zoo.detection.training import recipe

ROW = {
    "loss": 1.5,
    "val_box_ap": 0.1234,
    "val_box_ap50": 0.25,
    "val_mask_ap": 0.0,
    "val_mask_ap50": None,
    "val_images": 1234.0,
}


@pytest.fixture(scope="module")
def model():
    """Five numbers that are trained."""
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(1)(inputs))


def test_what_was_measured_has_a_row_of_its_own(record, model):
    text = card.render(recipe(), record, model, ROW)
    assert text.startswith("# Mask R-CNN on lambda_resnet_tiny\n")
    assert "| finds | 3 kinds of objects: cat, dog, owl |" in text
    assert "| trainable parameters | 5 |" in text
    assert "| trained | 6 steps of 2 pictures; `recipe.yaml` has all settings |" in text
    assert "On the 1,234 pictures that it was evaluated with" in text
    header, _, figures = text.partition("## Measured")[2].split("\n\n")[2].splitlines()
    assert header == "| AP of boxes (%) | AP50 of boxes (%) | AP of masks (%) | AP50 of masks (%) |"
    assert figures == "| 12.3 | 25.0 | 0.0 | – |"
    assert "The paper's figures" not in text


def test_the_papers_figures_stand_apart_and_where_the_network_is_the_papers(record, model):
    settings = recipe_file.load_as(DetectorRecipe, "mask_rcnn_lambda_resnet152", ["training.steps=140000"])
    text = card.render(settings, record, model, ROW)
    measured, _, of_paper = text.partition("## The paper's figures")
    assert "| 12.3 | 25.0 | 0.0 | – |" in measured
    assert "| 50.0 | 31.8 | 53.4 | 67.0 | 43.9 | 25.5 | 47.3 | 62.0 |" in of_paper
    assert "they were not measured here" in of_paper
    assert "50.0 |" not in measured


def test_names_cannot_break_the_table(record, model):
    categories = tuple(category._replace(name="a|b") for category in record.categories)
    text = card.render(recipe(), dataclasses.replace(record, categories=categories), model, ROW)
    assert "a\\|b, a\\|b, a\\|b |" in text


def test_the_licences_of_the_pictures_are_named_where_the_data_have_them(record, model):
    rows = card.render(recipe(), record, model, ROW, ["GPL-2.0-or-later", "a|b"]).splitlines()
    assert "| the pictures are under | GPL-2.0-or-later, a\\|b |" in rows
    assert "the pictures are under" not in card.render(recipe(), record, model, ROW)
