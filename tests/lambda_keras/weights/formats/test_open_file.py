"""Weight files of every format: all give the same tensors, and damaged or foreign ones an error."""

import json
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

import lambda_keras as lk
from lambda_keras.weights import WeightsError
from lambda_keras.weights.formats import open_file
from lambda_keras.weights.formats.safetensors import write_safetensors
from tests.lambda_keras.weights.conftest import TINY, values

ENDINGS = ("safetensors", "weights.h5", "keras", "checkpoint")


@pytest.fixture(scope="module")
def folder(author, tmp_path_factory):
    """The author's weights in every format."""
    folder = tmp_path_factory.mktemp("weights")
    write_safetensors(values(author), folder / "author.safetensors")
    author.save_weights(folder / "author.weights.h5")
    author.save(folder / "author.keras")
    tf.train.Checkpoint(model=author).write(str(folder / "author.checkpoint"))
    return folder


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_tensors(folder, model, author, ending):
    tensors = open_file.read_tensors(folder / f"author.{ending}", model)
    expected = values(author)
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, expected[name])


@pytest.mark.parametrize("ending", ENDINGS)
def test_bfloat16_is_read_as_it_was_written(tmp_path, ending):
    inputs = keras.Input((3,))
    author = keras.Model(inputs, keras.layers.Dense(2, dtype="bfloat16", name="dense")(inputs))
    path = tmp_path / f"author.{ending}"
    write = {
        "safetensors": lambda: write_safetensors(values(author), path),
        "weights.h5": lambda: author.save_weights(path),
        "keras": lambda: author.save(path),
        "checkpoint": lambda: tf.train.Checkpoint(model=author).write(str(path)),
    }
    write[ending]()
    tensors = open_file.read_tensors(path, author)
    assert tensors["dense/kernel"].dtype.name == "bfloat16"
    np.testing.assert_array_equal(tensors["dense/kernel"], author.layers[1].get_weights()[0])
    found = keras.Model(inputs, keras.layers.Dense(2, name="dense")(inputs))
    assert lk.load_weights(found, path).is_exact
    np.testing.assert_array_equal(found.get_weights()[0], author.get_weights()[0].astype("float32"))


@pytest.mark.parametrize("name", ["runs[1]/author", "own[1]", "what?/a*\\b"])
def test_wildcards_in_the_path_of_a_checkpoint_are_letters(folder, tmp_path, model, author, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    for file in folder.glob("author.checkpoint.*"):
        shutil.copy(file, tmp_path / f"{name}{file.name.removeprefix('author.checkpoint')}")
    tensors = open_file.read_tensors(str(tmp_path / name), model)
    np.testing.assert_equal(tensors, values(author))


@pytest.mark.parametrize("ending", ["weights.h5", "keras"])
def test_a_model_inside_a_model(tmp_path, author, ending):
    nested = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(2.0), author])
    save = nested.save_weights if ending == "weights.h5" else nested.save
    save(tmp_path / f"nested.{ending}")
    twin = keras.models.clone_model(nested)
    assert lk.load_weights(twin, tmp_path / f"nested.{ending}").is_exact
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(twin(images), nested(images))


def test_what_training_keeps_beside_the_weights_is_left_out(tmp_path, author):
    author = lk.create_model(TINY, dropout_rate=0.5, stochastic_depth_rate=0.1, squeeze_excitation_stages=("c2",))
    author.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    author.fit(np.zeros((4, 32, 32, 3)), np.arange(4), verbose=0)
    author.save(tmp_path / "author.keras")
    author.save_weights(tmp_path / "author.weights.h5")
    tf.train.Checkpoint(model=author, optimizer=author.optimizer, step=tf.Variable(3)).write(str(tmp_path / "author"))
    for name in ("author.keras", "author.weights.h5", "author", "author.index"):
        tensors = open_file.read_tensors(tmp_path / name, author)
        assert tensors.keys() == values(author).keys()


@pytest.mark.parametrize("name", ["nowhere.safetensors", "nowhere.weights.h5", "no/where", "nowhere.keras"])
def test_a_missing_file(model, tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"nowhere|where.*safetensors"):
        open_file.read_tensors(tmp_path / name, model)


@pytest.mark.parametrize("name", ["model.pth", "pytorch_model.bin", "model.pkl"])
def test_pickles_are_refused_with_the_way_out(model, tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04K\x03.")
    with pytest.raises(WeightsError, match="weights_only=True"):
        open_file.read_tensors(tmp_path / name, model)


@pytest.mark.parametrize(("name", "advice"), [("resnet.h5", "warm_start"), ("model.onnx", "safetensors")])
def test_other_formats_are_refused(model, tmp_path, name, advice):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(WeightsError, match=advice):
        open_file.read_tensors(tmp_path / name, model)


def cuts_and_flips(path):
    """Yields the path of copies that are cut off, or with a byte of their first kilobytes changed."""
    content = path.read_bytes()
    copy = path.with_name(f"damaged.{path.name}")
    rng = np.random.default_rng(0)
    for length in (0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1):
        copy.write_bytes(content[:length])
        yield f"cut at {length}", copy
    for position in sorted({*range(48), *rng.integers(48, 4096, 32)}):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        copy.write_bytes(damaged)
        yield f"flip at {position}", copy


@pytest.mark.parametrize("ending", ENDINGS[:3])
def test_damage_without_a_record_is_an_error_or_loads_the_whole(folder, tmp_path, author, ending):
    # Where no hash is known, a changed value goes unnoticed; a changed name, shape or structure does not.
    shutil.copy(folder / f"author.{ending}", tmp_path)
    model = lk.create_model(TINY)
    before, expected = values(model), values(author)
    for what, path in cuts_and_flips(tmp_path / f"author.{ending}"):
        try:
            lk.load_weights(model, path)
        except WeightsError:
            after = values(model)
            assert all(np.array_equal(after[name], before[name]) for name in before), what
        else:
            assert not what.startswith("cut"), what
            after = values(model)
            wrong = [name for name in expected if not np.array_equal(after[name], expected[name])]
            assert len(wrong) <= 1, (what, wrong)
            for variable in model.weights:
                variable.assign(before[variable.path])


def test_a_damaged_checkpoint_is_an_error(folder, tmp_path, model):
    for entry in folder.glob("author.checkpoint*"):
        shutil.copy(entry, tmp_path)
    data = next(tmp_path.glob("*.data*"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        open_file.read_tensors(tmp_path / "author.checkpoint", model)
    data.unlink()
    with pytest.raises(WeightsError, match="damaged"):
        open_file.read_tensors(tmp_path / "author.checkpoint", model)


def test_values_of_other_files_are_not_read(folder, tmp_path, model):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    for kind in ("external values", "external link", "soft link", "top group"):
        path = tmp_path / f"{kind}.weights.h5"
        shutil.copy(folder / "author.weights.h5", path)
        with h5py.File(path, "r+") as archive:
            if kind == "top group":
                del archive["layers"]
                archive["layers"] = h5py.ExternalLink(str(folder / "author.weights.h5"), "/layers")
                continue
            variables = archive["layers/batch_normalization/vars"]
            del variables["0"]
            if kind == "external values":
                variables.create_dataset("0", (16,), "float32", external=[(str(secret), 0, 64)])
            elif kind == "external link":
                variables["0"] = h5py.ExternalLink(str(folder / "author.weights.h5"), "/layers/conv2d/vars/0")
            else:
                variables["0"] = h5py.SoftLink("/layers/conv2d/vars/0")
        with pytest.raises(WeightsError, match=r"not in the file|link out of its place"):
            open_file.read_tensors(path, model)


def test_a_group_within_itself_and_two_values_for_one_name_are_errors(folder, tmp_path, model):
    path = tmp_path / "author.weights.h5"
    shutil.copy(folder / "author.weights.h5", path)
    with h5py.File(path, "r+") as archive:
        archive["layers/conv2d/inner"] = archive["layers"]
    with pytest.raises(WeightsError, match="damaged"):
        open_file.read_tensors(path, model)
    shutil.copy(folder / "author.weights.h5", path)
    with h5py.File(path, "r+") as archive:
        archive.copy("layers/conv2d", archive["layers"], "again")
    with pytest.raises(WeightsError, match="two values for"):
        open_file.read_tensors(path, model)


def test_groups_that_are_linked_twice_and_many_groups_within_groups_end_soon(tmp_path, model):
    path = tmp_path / "twice.weights.h5"
    with h5py.File(path, "w") as archive:
        group = archive.create_group("layers")
        for _ in range(60):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner
    with pytest.raises(WeightsError, match=r"is damaged.* is a group that other links lead to"):
        open_file.read_tensors(path, model)
    with h5py.File(path, "w") as archive:
        archive.create_group("layers" + "/a" * 2000)
    with pytest.raises(WeightsError, match="is damaged"):
        open_file.read_tensors(path, model)


def test_a_keras_file_is_read_without_running_its_config(folder, tmp_path, author):
    path = tmp_path / "author.keras"
    with zipfile.ZipFile(folder / "author.keras") as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("config.json", json.dumps({"class_name": "Lambda", "module": "os", "config": "system"}))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    model = lk.create_model(TINY)
    assert lk.load_weights(model, path).is_exact
    np.testing.assert_array_equal(values(model)["stem_conv/kernel"], values(author)["stem_conv/kernel"])


def test_another_librarys_safetensors(tmp_path, model):
    safetensors.numpy.save_file({"conv1.weight": np.zeros((2, 2), "float32")}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="of another library"):
        lk.load_weights(model, tmp_path / "other.safetensors")
