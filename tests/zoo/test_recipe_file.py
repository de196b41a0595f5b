import pytest

from zoo import recipe_file
from zoo.errors import UserError

RECIPE = """\
# Expected test accuracy: 90 %
model:
  name: lambda_resnet_tiny
data:
  name: digits
  image_size: 32
training:
  epochs: 3
  batch_size: 64
  optimizer: nesterov
  learning_rate: 1e-1
"""


@pytest.fixture
def write(tmp_path):
    def write_recipe(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write_recipe


def error_of(source, overrides=()):
    with pytest.raises(UserError) as caught:
        recipe_file.load(source, overrides)
    return str(caught.value)


def test_reads_values_and_defaults(write):
    recipe = recipe_file.load(write(RECIPE))
    assert recipe.model.name == "lambda_resnet_tiny"
    assert recipe.training.learning_rate == 0.1
    assert recipe.data.crop_padding == 0
    assert recipe.training.seed == 0


@pytest.mark.parametrize("name", recipe_file.packaged())
def test_every_packaged_recipe_is_valid_and_says_what_to_expect_and_to_type(name):
    recipe_file.load(name)
    assert recipe_file.expected_accuracy(name)
    command = recipe_file.packaged()[name].read_text().splitlines()[1]
    assert command.startswith(f"# lambda-zoo train --recipe {name}")


def test_dump_is_read_back_as_the_same_recipe(write):
    recipe = recipe_file.load("digits", ["training.seed=5", "model.overrides.scope_size=7"])
    assert recipe_file.load(write(recipe_file.dump(recipe))) == recipe


def test_overrides_are_applied_in_order(write):
    overrides = ["training.epochs=7", "training.epochs=9", "training.learning_rate=2e-3", "model.overrides.key_dim=8"]
    recipe = recipe_file.load(write(RECIPE), overrides)
    assert (recipe.training.epochs, recipe.training.learning_rate) == (9, 0.002)
    assert recipe.model.overrides == {"key_dim": 8}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "epochs: 3",
            "epoch: 3",
            "mine.yaml, line 8: unknown key training.epoch, did you mean 'epochs'? (allowed: epo",
        ),
        ("epochs: 3", "epochs: 0", "mine.yaml, line 8: training.epochs must be greater than or equal to 1, got 0"),
        ("epochs: 3", "epochs: many", "line 8: training.epochs must be a valid integer"),
        ("  epochs: 3\n", "", "mine.yaml, line 7: training.epochs is missing"),
        ("epochs: 3", "epochs: 3\n  warmup_epochs: 3", "line 7: training: warmup_epochs 3.0 must be below epochs 3"),
        ("1e-1", ".inf", "line 11: training.learning_rate must be a finite number, got inf"),
        ("nesterov", "sdg", "line 10: training.optimizer must be 'momentum', 'nesterov' or 'adamw', got 'sdg'"),
        ("name: digits", "name: digit", "line 5: data.name: unknown dataset 'digit'; did you mean 'digits'?"),
        ("model:\n", "modle:\n", "line 2: unknown key modle, did you mean 'model'? (allowed: model, data, training)"),
        ("  batch_size", "  epochs: 4\n  batch_size", "line 9: training.epochs stands on line 8 already"),
        ("_tiny", "_tiny\n  overrides: {classes: 3}", "line 4: model.overrides: classes must be left out"),
        ("  epochs: 3", "  epochs: [3", "not valid YAML"),
        ("epochs: 3", "epochs: !!python/object/apply:os.getcwd []", "mine.yaml, line 8: not valid YAML"),
    ],
)
def test_errors_say_where_and_what_is_allowed(write, old, new, expected):
    assert expected in error_of(write(RECIPE.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "digits\n"])
def test_a_file_without_sections(write, text):
    assert "a recipe has the sections model, data, training" in error_of(write(text))


def test_every_problem_is_named(write):
    message = error_of(write(RECIPE.replace("epochs: 3", "epochs: 0").replace("32", "4")))
    assert "line 8" in message
    assert "line 6" in message


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\x89PNG\xff\xfe")
    assert "cannot read the recipe" in error_of(str(path))


def test_a_missing_file_names_the_packaged_recipes():
    message = error_of("nowhere/mine.yaml")
    assert "no recipe file nowhere/mine.yaml" in message
    assert "digits, fashion_mnist" in message


def test_an_unknown_name_names_the_nearest():
    assert "unknown recipe 'fashion', did you mean 'fashion_mnist'?" in error_of("fashion")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "must have the form section.key=value"),
        ("=3", "must have the form section.key=value"),
        ("training..epochs=3", "must have the form section.key=value"),
        ("training.epochs.x=3", "epochs has no keys below it"),
        ("training.epochs=[", "'[' is not a YAML value"),
        ("training.epochs=0", "command line: training.epochs must be greater than or equal to 1, got 0"),
        ("training.lr=1", "command line: unknown key training.lr"),
        ("epochs=1", "command line: unknown key epochs"),
        ("training=1", "command line: training must be"),
    ],
)
def test_wrong_overrides(override, expected):
    assert expected in error_of("digits", [override])
