"""The packaged recipes: each says what to expect and to type, and those of the paper have the paper's values."""

import pytest
import yaml

from lambda_keras.applications.registry import get_config
from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.recipe import Data, Training

RECIPES = recipe_file.packaged()
# LambdaNetworks (arXiv 2102.08602), appendix: depth, image size, RandAugment's magnitude, dropout, stochastic depth and
# top-1 accuracy of the 350-epoch settings. LambdaResNet-200 is not among them; it takes the values of 270.
PAPER_350_EPOCHS = """
50 128 10 0.2 0 77.4
50 160 10 0.2 0 79.2
101 160 10 0.3 0 80.8
101 192 15 0.2 0 81.9
152 192 15 0.3 0 82.5
152 224 15 0.3 0.1 83.2
152 256 15 0.3 0.1 83.8
152 288 15 0.3 0.1 –
200 256 15 0.3 0.1 –
270 256 15 0.3 0.1 84.2
350 256 15 0.3 0.2 84.4
350 288 15 0.3 0.2 84.5
350 320 15 0.3 0.2 84.7
420 320 15 0.3 0.2 84.9
"""
# The same table: depth, image size and top-1 accuracy with 130 M pseudo-labelled images.
PAPER_PSEUDO_LABELS = """
50 128 82.1
50 160 83.4
101 160 84.7
101 192 85.4
152 192 86.1
152 224 86.5
152 288 86.7
"""
ROWS_PSEUDO_LABELS = [row.split() for row in PAPER_PSEUDO_LABELS.strip().splitlines()]
ROWS_350_EPOCHS = [row.split() for row in PAPER_350_EPOCHS.strip().splitlines()]
# Its ResNet-50 comparison and ablations: recipe, top-1 accuracy, what differs in the layers.
ATTENTION = {"num_heads": 8, "key_dim": None, "normalize_lambda": True}
ROWS_90_EPOCHS = [
    ("resnet50_cccc", "76.9 %", {}),
    ("resnet50_llll", "78.4 %", {}),
    ("resnet50_llll_u4", "78.9 %", {"intra_depth": 4, "scope_size": 7}),
    ("resnet50_llll_content", "68.8 %", {"use_position": False}),
    ("resnet50_llll_position", "78.1 %", {"use_content": False}),
    ("resnet50_llll_l2", "78.0 %", {"key_normalization": "l2"}),
    ("resnet50_llll_no_normalization", "70.0 %", {"key_normalization": "none"}),
    ("resnet50_llll_query_softmax", "78.1 %", {"query_softmax": True}),
    ("resnet50_llll_no_batch_norm", "76.2 %", {"use_batch_norm": False}),
    ("resnet50_llll_k8", "unknown", {"key_dim": 8}),
    ("resnet50_llll_k32", "unknown", {"key_dim": 32}),
    ("resnet50_llll_h8", "unknown", {"num_heads": 8}),
    ("resnet50_llll_shared", "unknown", {"share_position_embeddings": True}),
    ("resnet50_axial", "unknown", {"interaction": "axial", "scope_size": None, **ATTENTION}),
    ("resnet50_local", "unknown", {"interaction": "local", "scope_size": 7, **ATTENTION}),
]
IMAGENET = {
    "name": "imagenet2012",
    "train": "train[20shard:]",
    "validation": "train[:20shard]",
    "test": "validation",
    "streams": 64,
    "crop": "inception",
    "horizontal_flip": True,
}


def fields(section, names):
    return {name: getattr(section, name) for name in names}


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_comments_say_what_to_expect_its_source_and_what_to_type(name):
    comments = RECIPES[name].read_text(encoding="utf-8").partition("\nmodel:")[0].splitlines()
    assert recipe_file.expected(name)
    assert len(comments) == 3
    assert all(comment.startswith("# ") for comment in comments)
    assert f"{comments[2]} ".startswith(f"# lambda-zoo train --recipe {name} ")


@pytest.mark.parametrize("name", RECIPES)
def test_only_what_differs_from_the_defaults_is_written(name):
    written = yaml.safe_load(RECIPES[name].read_text(encoding="utf-8"))
    for section, schema in (("data", Data), ("training", Training)):
        defaults = {key: field.default for key, field in schema.model_fields.items()}
        assert not {key for key, value in written[section].items() if value == defaults[key]}
    config = get_config(written["model"]["name"])
    overrides = written["model"].get("overrides", {})
    assert not {key for key, value in overrides.items() if value == getattr(config, key)}


@pytest.mark.parametrize("row", ROWS_350_EPOCHS, ids=lambda row: "-".join(row[:2]))
def test_the_350_epoch_settings_are_the_papers(row):
    depth, image_size, magnitude, dropout, stochastic_depth, top1 = row
    name = f"lambda_resnet{depth}_{image_size}"
    recipe = recipe_file.load(name)
    assert recipe.model.name == f"lambda_resnet{depth}"
    overrides = {"stochastic_depth_rate": 0, **recipe.model.overrides}
    assert overrides["dropout_rate"] == float(dropout)
    assert overrides["stochastic_depth_rate"] == float(stochastic_depth)
    assert fields(recipe.data, IMAGENET) == IMAGENET
    assert recipe.data.image_size == int(image_size)
    assert (recipe.data.randaugment_layers, recipe.data.randaugment_magnitude) == (2, float(magnitude))
    training = recipe.training
    assert (training.epochs, training.warmup_epochs, training.schedule) == (350, 5, "cosine")
    assert (training.optimizer, training.momentum, training.weight_decay) == ("momentum", 0.9, 4e-5)
    assert (training.label_smoothing, training.ema_decay) == (0.1, 0.9999)
    assert training.batch_size in (4096, 2048)
    assert training.peak_learning_rate == pytest.approx(0.1 * training.batch_size / 256)
    expected = recipe_file.expected(name)
    assert expected.startswith("unknown" if top1 == "–" else f"{top1} %")


@pytest.mark.parametrize("row", ROWS_PSEUDO_LABELS, ids=lambda row: "-".join(row[:2]))
def test_co_training_has_the_values_of_the_350_epoch_settings(row):
    depth, image_size, top1 = row
    name = f"lambda_resnet{depth}_{image_size}"
    supervised, recipe = recipe_file.load(name), recipe_file.load(f"{name}_pseudo")
    assert recipe.model_copy(update={"data": recipe.data.model_copy(update={"pseudo": None})}) == supervised
    assert recipe_file.expected(f"{name}_pseudo").startswith(f"{top1} %")
    assert recipe.data.pseudo.images_of(recipe.training.batch_size) == 3 * recipe.training.batch_size // 4


def test_noisy_students_noise_is_its_papers():
    """Section 3.1 of arXiv 1911.04252: two operations of strength 27, dropout 0.5, survival 0.8 of the last layer."""
    recipe = recipe_file.load("noisy_student_lambda_resnet152_224")
    plain = recipe_file.load("lambda_resnet152_224")
    assert (recipe.data.randaugment_layers, recipe.data.randaugment_magnitude) == (2, 27)
    noise = {"dropout_rate": 0.5, "stochastic_depth_rate": 0.2}
    assert recipe.model.overrides == {**plain.model.overrides, **noise}
    assert recipe.training == plain.training
    # Three quarters of a batch, as the paper has for large students.
    pseudo = recipe.data.pseudo
    assert recipe.data.model_copy(update={"pseudo": None, "randaugment_magnitude": 15}) == plain.data.model_copy(
        update={"randaugment_magnitude": 15}
    )
    assert pseudo.images_of(recipe.training.batch_size) == 3 * recipe.training.batch_size // 4
    assert recipe.data.streams == pseudo.streams == 64


def test_a_thousand_labelled_images():
    teacher, student = (recipe_file.load(name).data for name in ("fashion_mnist_1000", "fashion_mnist_semi"))
    assert student.model_copy(update={"pseudo": None}) == teacher
    # train[1000:55000] is neither labelled nor held out.
    assert (teacher.train, teacher.validation, teacher.test) == ("train[:1000]", "train[55000:]", None)


@pytest.mark.parametrize(("name", "top1", "overrides"), ROWS_90_EPOCHS)
def test_the_90_epoch_settings_are_the_papers(name, top1, overrides):
    recipe = recipe_file.load(name)
    assert recipe.model.name == ("resnet50_cccc" if name == "resnet50_cccc" else "resnet50_llll")
    assert recipe.model.overrides == {**overrides, "batch_norm_momentum": 0.9999}
    assert fields(recipe.data, IMAGENET) == IMAGENET
    assert (recipe.data.image_size, recipe.data.randaugment_layers) == (224, 0)
    training = recipe.training
    assert (training.epochs, training.warmup_epochs, training.schedule) == (90, 5, "cosine")
    assert (training.optimizer, training.momentum, training.weight_decay) == ("momentum", 0.9, 1e-4)
    assert (training.label_smoothing, training.ema_decay, training.peak_learning_rate) == (0.1, 0.9999, 1.6)
    assert recipe_file.expected(name).startswith(top1)


@pytest.mark.parametrize(("name", "top1"), [("mobilenet_v2", "72.7 %"), ("lambda_mobilenet_v2", "73.3 %")])
def test_the_mobilenet_settings_are_the_papers(name, top1):
    recipe = recipe_file.load(name)
    assert recipe.model.name == name
    assert get_config(name).dropout_rate == 0.2
    assert fields(recipe.data, IMAGENET) == IMAGENET
    training = recipe.training
    assert (training.epochs, training.batch_size, recipe.data.image_size) == (350, 4096, 224)
    assert (training.optimizer, training.momentum, training.weight_decay) == ("rmsprop", 0.9, 1e-5)
    assert (training.schedule, training.decay_rate, training.decay_epochs) == ("exponential", 0.99, 3)
    assert training.peak_learning_rate == 0.1
    assert recipe_file.expected(name).startswith(top1)


def test_no_recipe_is_left_out_here():
    papers = {f"lambda_resnet{row[0]}_{row[1]}" for row in ROWS_350_EPOCHS} | {row[0] for row in ROWS_90_EPOCHS}
    papers |= {f"lambda_resnet{row[0]}_{row[1]}_pseudo" for row in ROWS_PSEUDO_LABELS}
    others = {"mobilenet_v2", "lambda_mobilenet_v2", "digits", "fashion_mnist", "image_folder"}
    others |= {"noisy_student_lambda_resnet152_224", "fashion_mnist_1000", "fashion_mnist_semi"}
    assert set(RECIPES) == papers | others
