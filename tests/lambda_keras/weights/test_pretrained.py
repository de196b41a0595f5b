"""Models to share: they come back whole, in a process that knows nothing of their author, or not at all."""

import json

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.weights import Preprocessor, WeightsError, pretrained
from lambda_keras.weights.reference import Folder
from tests.lambda_keras.weights.conftest import IMAGES, TINY, randomize, values


@pytest.fixture
def folder(author, tmp_path):
    """A shared model."""
    lk.save_pretrained(author, tmp_path / "shared", class_names=[f"digit {i}" for i in range(10)], license="mit")
    return tmp_path / "shared"


def test_comes_back_in_another_process(folder, author, tmp_path, run_python):
    np.save(tmp_path / "images.npy", IMAGES)
    code = (
        "import numpy as np, lambda_keras as lk\n"
        f"model = lk.from_pretrained({str(folder)!r})\n"
        f"images = np.load({str(tmp_path / 'images.npy')!r})\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, np.asarray(model(images)))\n"
    )
    run_python(code)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), np.asarray(author(IMAGES)), atol=1e-6)


def test_the_folder_says_what_it_is(folder, author):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor.json",
    ]
    config = json.loads((folder / "config.json").read_text())
    assert config["class_names"][3] == "digit 3"
    assert config["files"]["model.safetensors"]["bytes"] == (folder / "model.safetensors").stat().st_size
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: lambda-keras\n")
    assert "license: mit\n" in card
    assert "Its author gave no description" in card
    assert f"{sum(int(np.prod(w.shape)) for w in author.trainable_weights):,}" in card
    assert pretrained.read_preprocessor(Folder(folder)) == (Preprocessor(32), config["class_names"])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_model_that_its_author_changed(tmp_path, policy):
    keras.config.set_dtype_policy(policy)
    try:
        base = lk.create_model(TINY, include_top=False, pooling="avg", input_shape=(32, 32, 1))
        own = keras.Model(base.input, keras.layers.Dense(3, "softmax", dtype="float32", name="mine")(base.output))
    finally:
        keras.config.set_dtype_policy("float32")
    own.compile("adam", loss=lambda y, p: y - p)
    randomize(own)
    preprocessor = Preprocessor(32, 1.0, "bilinear", mean=(0.5,), std=(0.5,))
    lk.save_pretrained(own, tmp_path / "own", preprocessor, class_names="abc", description="Trained on *letters*.")
    back = lk.from_pretrained(tmp_path / "own")
    np.testing.assert_allclose(back(IMAGES[..., :1]), own(IMAGES[..., :1]), atol=1e-6)
    assert "*letters*" in (tmp_path / "own" / "README.md").read_text()
    images = np.full((1, 32, 32, 1), 255, "uint8")
    np.testing.assert_allclose(lk.preprocess_input(images, model=str(tmp_path / "own")), 1.0)


def test_the_folder_is_a_source_of_weights(folder, author):
    model = lk.create_model(TINY, weights=str(folder))
    np.testing.assert_array_equal(model(IMAGES), author(IMAGES))
    model = lk.create_model(TINY, classes=4)
    assert lk.load_weights(model, folder, fit="adapt").random == ("predictions/kernel", "predictions/bias")


def test_any_changed_byte_and_any_cut_is_an_error(folder):
    path = folder / "model.safetensors"
    content, model = path.read_bytes(), lk.create_model(TINY)
    before = values(model)
    rng = np.random.default_rng(0)
    positions = sorted({*range(16), *(int(p) for p in rng.integers(0, len(content), 32)), len(content) - 1})
    damaged = [content[:position] for position in positions]
    damaged += [content[:p] + bytes([content[p] ^ 1 << int(rng.integers(8))]) + content[p + 1 :] for p in positions]
    for number, bytes_ in enumerate(damaged):
        path.write_bytes(bytes_)
        load = lk.from_pretrained if number % 8 == 0 else lambda folder: lk.load_weights(model, folder)
        with pytest.raises(WeightsError, match=r"is not the file that its config\.json describes"):
            load(folder)
    assert all(np.array_equal(value, before[name]) for name, value in values(model).items())


def test_an_interrupted_overwrite_does_not_load(folder, tmp_path):
    lk.save_pretrained(randomize(lk.create_model(TINY), seed=5), tmp_path / "newer")
    (tmp_path / "newer" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(WeightsError, match="is not the file"):
        lk.from_pretrained(folder)


def change(folder, edit):
    config = json.loads((folder / "config.json").read_text())
    edit(config)
    (folder / "config.json").write_text(json.dumps(config))


CONFIGS = {
    "other library": (lambda c: c.update(library="transformers"), "library 'transformers'"),
    "newer": (lambda c: c.update(format=2), "format 2"),
    "no files": (lambda c: c.pop("files"), "this version reads"),
    "timm's": (lambda c: (c.clear(), c.update(architecture="resnet50")), "load_weights"),
    "no model": (lambda c: c.update(model={}), "makes dict, not a model"),
    "foreign class": (
        lambda c: c["model"]["config"]["layers"][3].update(module="os.path", class_name="system"),
        "neither of Keras nor of lambda_keras",
    ),
    "foreign registration": (
        lambda c: c["model"]["config"]["layers"][3].update(module=None, registered_name="theirs>Layer"),
        "registered by neither",
    ),
    "python code": (
        lambda c: c["model"]["config"]["layers"][3].update(
            module="keras.layers",
            class_name="Lambda",
            registered_name=None,
            config={
                "name": "x",
                "function": {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None}},
            },
        ),
        "(?i)lambda",
    ),
}


@pytest.mark.parametrize(("edit", "message"), CONFIGS.values(), ids=CONFIGS)
def test_a_config_of_another_kind_is_refused(folder, edit, message):
    change(folder, edit)
    with pytest.raises(WeightsError, match=message):
        lk.from_pretrained(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"lambda_keras"'])
def test_a_damaged_config_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match="damaged"):
        lk.from_pretrained(folder)


@pytest.mark.parametrize(
    "changes",
    [
        *({"class_names": names} for names in (3, "0123456789", [1, 2], {"a": 1})),
        *({"files": files} for files in (None, [], "x")),
        *(
            {"model": model}
            for model in (None, [], "x", {"class_name": "A", "module": 3}, {"class_name": [], "module": {}})
        ),
        {"library": []},
        {"format": {}},
    ],
    ids=str,
)
def test_values_of_other_types_in_the_config(folder, changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(WeightsError, match=r"config\.json|class_name|neither of Keras"):
        lk.from_pretrained(folder)


def test_a_config_that_is_nested_too_deep(folder):
    (folder / "config.json").write_text('{"model": ' + "[" * 100_000)
    with pytest.raises(WeightsError, match=r"config\.json that `save_pretrained` did not write, or that is damaged"):
        lk.from_pretrained(folder)


def test_missing_files(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="save_pretrained"):
        lk.from_pretrained(tmp_path / "nowhere")
    (folder / "preprocessor.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"preprocessor\.json"):
        pretrained.read_preprocessor(Folder(folder))


@keras.saving.register_keras_serializable(package="theirs")
class TheirLayer(keras.layers.Layer):
    """A layer that no one else has."""

    def call(self, x):
        return x


def test_what_cannot_be_shared_is_refused(author, tmp_path):
    x = keras.Input((8, 8, 3))
    with pytest.raises(WeightsError, match="TheirLayer"):
        lk.save_pretrained(keras.Model(x, TheirLayer()(x)), tmp_path / "theirs")
    with pytest.raises(WeightsError, match="a name for each of the 10 outputs"):
        lk.save_pretrained(author, tmp_path / "x", class_names=["one"])
    with pytest.raises(WeightsError, match=r"without control characters.* Received: '\\x1b\[31m'"):
        lk.save_pretrained(author, tmp_path / "x", class_names=["\x1b[31m", *"123456789"])
    with pytest.raises(WeightsError, match="each of the 3 channels"):
        lk.save_pretrained(author, tmp_path / "x", Preprocessor(32, mean=(0,), std=(1,)))
    with pytest.raises(WeightsError, match=r"`preprocessor` is needed .*\(None, None, None, 3\)"):
        lk.save_pretrained(lk.create_model(TINY, input_shape=(None, None, 3)), tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_the_preprocessing_is_that_of_the_weights_or_is_asked_for(author, folder, tmp_path):
    def shared(model, *arguments):
        lk.save_pretrained(model, tmp_path / "shared", *arguments)
        return pretrained.read_preprocessor(Folder(tmp_path / "shared"))[0]

    assert shared(lk.create_model(TINY)) == Preprocessor(32)
    grey = lk.create_model(TINY, weights="digits", input_shape=(32, 32, 1))
    assert shared(grey) == lk.applications.preprocessor_of(f"{TINY}.digits")
    assert shared(lk.from_pretrained(tmp_path / "shared")) == shared(grey)
    rescaled = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255), author], name="rescaled")
    with pytest.raises(WeightsError, match=r"`preprocessor` is needed for rescaled, .*Preprocessor\.none"):
        shared(rescaled)
    found = shared(rescaled, Preprocessor.none(32))
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    np.testing.assert_allclose(lk.preprocess_input(images, found.mean, found.std), images, rtol=1e-6)
    from_file = lk.create_model(TINY, weights=folder / "model.safetensors")
    with pytest.raises(WeightsError, match="`preprocessor` is needed"):
        shared(from_file)


def test_what_is_not_finite_is_not_shared(tmp_path):
    broken = lk.create_model(TINY)
    broken.get_layer("stem_bn").beta.assign([np.nan] * 16)
    with pytest.raises(WeightsError, match="has values in stem_bn/beta that are infinite or not a number"):
        lk.save_pretrained(broken, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


@pytest.mark.filterwarnings("ignore:Layer \\w+ does not have a `quantize`")
def test_a_quantised_model_comes_back(tmp_path):
    model = lk.create_model(TINY, squeeze_excitation_stages=("c2",))
    model.quantize("int8")
    expected = model(IMAGES)
    lk.save_pretrained(model, tmp_path / "shared")
    np.testing.assert_array_equal(lk.from_pretrained(tmp_path / "shared")(IMAGES), expected)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(IMAGES), expected)
    np.testing.assert_allclose(lk.fuse(model)(IMAGES), expected, atol=1e-5)
    with pytest.raises(WeightsError, match="of a quantised model"):
        lk.load_weights(lk.create_model(TINY, squeeze_excitation_stages=("c2",)), tmp_path / "model.keras")
