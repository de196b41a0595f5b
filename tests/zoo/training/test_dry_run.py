import pytest

from lambda_keras.zoo import recipe_file
from lambda_keras.zoo.cli import main
from lambda_keras.zoo.data import catalog
from lambda_keras.zoo.data.sources import image_table
from lambda_keras.zoo.data.sources.image_table import Row
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training import memory
from lambda_keras.zoo.training.dry_run import dry_run

# The paper's training of a model that is built in a second.
IMAGENET = ("lambda_resnet152_224", ["model.name=lambda_resnet_tiny", "data.image_size=32"])


def figures(text):
    """What stands in the comments below the recipe, `{name: text}`."""
    comments = text.partition("\n#\n")[2].splitlines()
    return {comment[2:20].strip(): comment[20:] for comment in comments}


def test_the_figures_of_digits():
    recipe = recipe_file.load("digits")
    facts = figures(dry_run(recipe))
    assert facts["model"] == "lambda_resnet_tiny"
    assert facts["parameters"] == "0.10 M (trainable)"
    assert facts["classes"] == "10"
    assert facts["images"] == "1,212 train, 135 validation, 450 test"
    assert facts["steps"] == "37 an epoch, 370 in 10 epochs (11,840 images)"
    assert facts["learning rate"] == "0.003 at its peak"
    assert facts["each replica"] == "32 images at a time: batch 32 / 1 replicas / 1 passes"


def test_imagenet_needs_not_be_there(tmp_path):
    facts = figures(dry_run(recipe_file.load(*IMAGENET), data_dir=tmp_path, replicas=32))
    assert facts["images"] == ("1,256,144 train, 25,023 validation, 50,000 test (imagenet2012 is not prepared here)")
    assert facts["steps"] == "306 an epoch, 107,100 in 350 epochs (438,681,600 images)"
    assert facts["learning rate"] == "1.6 at its peak"
    assert facts["each replica"] == "128 images at a time: batch 4096 / 32 replicas / 1 passes"
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_of_unknown_size(tmp_path):
    name, overrides = IMAGENET
    recipe = recipe_file.load(name, [*overrides, "data.name=cats_vs_dogs"])
    facts = figures(dry_run(recipe, data_dir=tmp_path))
    assert facts["classes"] == "2"
    assert facts["images"] == "unknown (cats_vs_dogs is not prepared here)"
    assert facts["steps"] == "unknown, in 350 epochs"


@pytest.mark.parametrize("name", ["imagenet2012", "cats_vs_dogs"])
def test_weights_of_classes_need_no_image(name, tmp_path):
    recipe = recipe_file.load("digits", [f"data.name={name}", "training.class_weights=true"])
    text = dry_run(recipe, data_dir=tmp_path)
    assert "class_weights: true" in text
    assert f"({name} is not prepared here)" in figures(text)["images"]


@pytest.fixture
def data_dirs(encode, photo, tmp_path):
    """What `--data-dir` is of each dataset that is not a dataset of TensorFlow Datasets."""
    rows = []
    for number in range(24):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(photo(number)))
        rows.append(Row(path, path.parent.name, ("train", "train", "validation", "test")[number // 2 % 4]))
    image_table.write(rows, tmp_path / "table.csv")
    return {"image_folder": tmp_path / "images", "image_table": tmp_path / "table.csv"}


@pytest.mark.parametrize("name", catalog.SOURCES)
def test_every_dataset_of_the_table(name, data_dirs, tmp_path):
    recipe = recipe_file.load("digits", [f"data.name={name}", "training.batch_size=8"])
    text = dry_run(recipe, data_dir=data_dirs.get(name, tmp_path))
    assert f"name: {name}" in text
    assert figures(text)["images"].split()[1].strip(",") == "train"


def test_weights_to_start_from_are_not_fetched(monkeypatch):
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    recipe = recipe_file.load("digits", ["model.weights=hf://nobody/nothing"])
    assert figures(dry_run(recipe))["parameters"] == "0.10 M (trainable)"


def test_the_memory_is_that_of_a_replicas_pass(monkeypatch):
    asked = []

    def estimate(trainer, images):
        asked.append(images)
        return memory.Memory(*(10**9 * part for part in range(1, 7)))

    monkeypatch.setattr(memory, "estimate", estimate)
    recipe = recipe_file.load("digits", ["training.batch_size=96", "training.gradient_accumulation=3"])
    facts = figures(dry_run(recipe, replicas=4))
    assert asked == [8]
    assert facts["memory"] == "21 GB on each replica, of which"
    parts = ("weights", "gradients", "optimizer", "moving average", "activations", "input batch")
    assert [facts[part] for part in parts] == [f"{part} GB" for part in range(1, 7)]


def test_synchronised_batch_norm_needs_more_memory_where_there_is_something_to_synchronise():
    recipe = recipe_file.load("digits", ["training.synchronized_batch_norm=true"])
    one, two = (figures(dry_run(recipe, replicas=replicas))["activations"] for replicas in (1, 2))
    # With half of the images on each replica.
    assert 0.5 < float(two.split()[0]) / float(one.split()[0]) < 1


def test_the_text_is_a_recipe_file(tmp_path):
    recipe = recipe_file.load("digits", ["training.seed=5"])
    path = tmp_path / "resolved.yaml"
    path.write_text(dry_run(recipe))
    assert recipe_file.load(str(path)) == recipe


@pytest.mark.parametrize(
    ("overrides", "replicas", "expected"),
    [
        ([], 0, "--replicas must be at least 1, got 0"),
        ([], 3, "training.batch_size 32 must be a multiple of 3"),
        (["training.batch_size=2000"], 1, "training.batch_size 2000 is more than the 1212 training images"),
        (["data.name=imagnet2012"], 1, "unknown dataset 'imagnet2012'; did you mean 'imagenet2012'"),
        (["data.name=image_folder"], 1, "image_folder needs a folder of images"),
    ],
)
def test_user_errors(overrides, replicas, expected):
    with pytest.raises(UserError, match=expected):
        dry_run(recipe_file.load("digits", overrides), replicas=replicas)


def test_the_command_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--recipe", "digits", "--dry-run", "--replicas", "2"]) == 0
    assert "16 images at a time" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
