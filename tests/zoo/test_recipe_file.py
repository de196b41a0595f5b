import re

import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.errors import UserError

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


def test_recipes_are_sorted_by_their_numbers():
    names = list(recipe_file.packaged())
    assert names.index("digits") < names.index("lambda_resnet50_160") < names.index("lambda_resnet101_160")


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
            "mine.yaml, line 8: unknown key training.epoch, did you mean 'epochs'? (allowed: bat",
        ),
        ("epochs: 3", "epochs: 0", "mine.yaml, line 8: training.epochs must be greater than or equal to 1, got 0"),
        ("epochs: 3", "epochs: 0", "got 0 (allowed: at least 1, at most 10000)"),
        ("epochs: 3", "epochs: many", "line 8: training.epochs must be a valid integer"),
        ("  epochs: 3\n", "", "mine.yaml, line 7: training.epochs is missing"),
        ("epochs: 3", "epochs: 3\n  warmup_epochs: 3", "line 7: training: warmup_epochs 3.0 must be below epochs 3"),
        ("1e-1", ".inf", "line 11: training.learning_rate must be a finite number, got inf"),
        (
            "nesterov",
            "sdg",
            "line 10: training.optimizer must be 'momentum', 'nesterov', 'rmsprop', 'adamw' or 'lamb', got 'sdg'",
        ),
        ("model:\n", "modle:\n", "line 2: unknown key modle, did you mean 'model'? (allowed: model, data, training)"),
        ("  batch_size", "  epochs: 4\n  batch_size", "line 9: training.epochs stands on line 8 already"),
        ("_tiny", "_tiny\n  overrides: {classes: 3}", "line 4: model.overrides: classes must be left out"),
        ("_tiny", "_tiny\n  overrides: {weights: a}", "line 4: model.overrides: weights must be left out: it is a key"),
        ("_tiny", "_tiny\n  warm_start: resnet", "line 4: model.warm_start must be 'resnet_rs', got 'resnet'"),
        ("_tiny", "_tiny\n  fresh_classifier: true", "model: fresh_classifier is for weights; without them the class"),
        ("_tiny", "_tiny\n  weights: a\n  warm_start: resnet_rs", "model: weights and warm_start exclude each other"),
        ("  epochs: 3", "  epochs: [3", "not valid YAML"),
        ("epochs: 3", "epochs: !!python/object/apply:os.getcwd []", "mine.yaml, line 8: not valid YAML"),
    ],
)
def test_errors_say_where_and_what_is_allowed(write, old, new, expected):
    assert expected in error_of(write(RECIPE.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("data.train", 5, "data.train must be a valid string, got 5"),
        ("data.train", "train", "data: train and validation are given together or not at all"),
        ("data.validation_fraction", 0.6, "less than or equal to 0.5, got 0.6 (allowed: above 0, at most 0.5)"),
        ("data.crop", "inceptoin", "data.crop must be 'inception', 'pad' or 'none', got 'inceptoin'"),
        ("data.crop", "pad", "data: crop: pad and a crop_padding above 0 go together, got pad and 0"),
        ("data.crop_padding", 4, "data: crop: pad and a crop_padding above 0 go together, got none and 4"),
        ("data.randaugment_layers", 9, "less than or equal to 8, got 9 (allowed: at least 0, at most 8)"),
        ("data.randaugment_magnitude", 31, "less than or equal to 30, got 31 (allowed: at least 0, at most 30)"),
        ("data.random_erasing", 1.5, "less than or equal to 1, got 1.5 (allowed: at least 0, at most 1)"),
        ("data.mixup", -1, "greater than or equal to 0, got -1 (allowed: at least 0, at most 10)"),
        ("data.cutmix", "much", "data.cutmix must be a valid number"),
        ("data.evaluation_crop", 0, "greater than or equal to 0.1, got 0 (allowed: at least 0.1, at most 1)"),
        ("data.interpolation", "nearest", "data.interpolation must be 'bilinear' or 'bicubic', got 'nearest'"),
        ("training.gradient_accumulation", 0, "got 0 (allowed: at least 1, at most 1024)"),
        ("training.momentum", 1, "training.momentum must be less than 1, got 1 (allowed: at least 0, below 1)"),
        ("training.learning_rate_batch_size", 0, "got 0 (allowed: at least 1, or null)"),
        ("training.schedule", "step", "training.schedule must be 'cosine', 'exponential' or 'constant', got 'step'"),
        ("training.decay_rate", 2, "less than or equal to 1, got 2 (allowed: above 0, at most 1)"),
        ("training.decay_epochs", 0, "training.decay_epochs must be greater than 0, got 0 (allowed: above 0)"),
        ("training.weight_decay_on", "none", "training.weight_decay_on must be 'kernels' or 'all', got 'none'"),
        ("training.gradient_clipping", 0, "got 0 (allowed: above 0, or null)"),
        ("training.ema_decay", 1, "training.ema_decay must be less than 1, got 1 (allowed: above 0, below 1, or null)"),
        ("training.synchronized_batch_norm", 2, "training.synchronized_batch_norm must be a valid boolean"),
        ("training.precision", "float16", "must be 'float32', 'mixed_bfloat16' or 'mixed_float16', got 'float16'"),
        ("training.xla", "maybe", "training.xla must be a valid boolean"),
        ("training.early_stopping_epochs", 0, "got 0 (allowed: at least 1, or null)"),
        ("training.checkpoint_steps", 1.5, "training.checkpoint_steps must be a valid integer"),
        ("training.steps_per_loop", 0, "got 0 (allowed: at least 1)"),
        ("training.seed", -1, "got -1 (allowed: at least 0, below 2147483648)"),
    ],
)
def test_values_out_of_bounds_in_a_file_and_on_the_command_line(write, key, value, expected):
    section, _, name = key.partition(".")
    text = RECIPE.replace(f"{section}:\n", f"{section}:\n  {name}: {value}\n")
    line = text.splitlines().index(f"{section}:") + 1
    in_file = error_of(write(text))
    assert expected in in_file
    # A value that does not fit the others is an error of its section.
    assert f"mine.yaml, line {line}: {section}: " in in_file or f"mine.yaml, line {line + 1}: {key}" in in_file
    on_command_line = error_of(write(RECIPE), [f"{key}={value}"])
    assert expected in on_command_line
    assert "command line: " in on_command_line


def test_null_is_the_default_of_what_may_be_left_out(write):
    recipe = recipe_file.load("digits", ["training.ema_decay=0.9"])
    assert recipe.training.ema_decay == 0.9
    assert recipe_file.load(write(recipe_file.dump(recipe)), ["training.ema_decay=null"]) == recipe_file.load("digits")


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
        ("training=1", "command line: training must have keys below it (batch_size, "),
        ("training.warmup_epochs=10", " and command line: training: warmup_epochs 10.0 must be below epochs 10"),
    ],
)
def test_wrong_overrides(override, expected):
    assert expected in error_of("digits", [override])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-13-45", "'2024-13-45' is not a YAML value"),
        ("!!int abc", "'!!int abc' is not a YAML value"),
        ("9" * 5000, "is not a YAML value"),
        ("0x" + "f" * 5000, "got a number of too many digits"),
        ("[" * 1200, "is not a YAML value"),
        ("{[a]: 1}", "is not a YAML value"),
        ("[a]", "valid integer, got ['a']"),
    ],
)
def test_values_that_yaml_or_python_stumbles_over(value, expected, tmp_path):
    with pytest.raises(UserError, match=re.escape(expected)) as refused:
        recipe_file.load("digits", [f"training.epochs={value}"])
    assert len(str(refused.value)) < 1000
    (tmp_path / "a.yaml").write_text(f"training:\n  epochs: {value}\n")
    with pytest.raises(UserError, match=r"a\.yaml"):
        recipe_file.load(str(tmp_path / "a.yaml"))


def test_a_value_within_a_value_that_is_wrong():
    with pytest.raises(UserError, match=r"command line: data.mean.0 must be a valid number, .*got 'a'"):
        recipe_file.load("digits", ["data.mean=[a]", "data.std=[1]"])


def laughs():
    """A few lines that stand for 10^20 values."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    return "\n".join(["a0: &a0 [ha]", *lines]) + "\n"


@pytest.mark.parametrize("text", [laughs(), "data: &itself [*itself]\n"])
def test_aliases_that_stand_for_too_much_are_refused_at_once(tmp_path, text):
    (tmp_path / "laughs.yaml").write_text(text)
    with pytest.raises(UserError, match=r"laughs\.yaml: its aliases \(\*\) stand for more than 10,000 values"):
        recipe_file.load(tmp_path / "laughs.yaml")


def test_aliases_on_the_command_line_are_counted_too():
    nested = "&a [1]"
    for name in "bcdefgh":
        nested = f"&{name} [{nested}{f', *{chr(ord(name) - 1)}' * 9}]"
    with pytest.raises(UserError, match="override seed: its aliases"):
        recipe_file.load("digits", [f"training.seed={nested}"])
