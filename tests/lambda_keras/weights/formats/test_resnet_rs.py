import functools
import importlib.util
import types

import h5py
import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.weights import catalog, fetch
from lambda_keras.weights.assignment import variables_by_name
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.resnet_rs import warm_start

# Builds the published graph with random values, as the third one of its process by the counter in the stem's names.
PUBLISHED = """
import sys
import numpy as np
import tf_keras
for _ in range(2):
    tf_keras.backend.get_uid("stem_")
model = tf_keras.applications.ResNetRS50(
    weights=None, classifier_activation=None, include_preprocessing=False, input_shape=(77, 64, 3)
)
generator = np.random.default_rng(0)
for variable in model.weights:
    if "gamma" in variable.name or "variance" in variable.name:
        values = generator.uniform(0.5, 1.5, variable.shape)
    elif len(variable.shape) == 1:
        values = generator.normal(0, 0.1, variable.shape)
    else:
        values = generator.normal(0, np.prod(variable.shape[:-1]) ** -0.5, variable.shape)
    variable.assign(values)
images = generator.normal(size=(2, 77, 64, 3)).astype("float32")
model.save_weights(sys.argv[1] + "/rs50.h5")
np.savez(sys.argv[1] + "/rs50.npz", images=images, logits=model(images, training=False))
"""
# Widths of a small network of the same graph.
WIDTHS = (4, 8, 12, 16)


@pytest.fixture(scope="module")
def published(tmp_path_factory, run_python):
    # Not imported here: it is another Keras.
    if importlib.util.find_spec("tf_keras") is None:
        pytest.skip("needs tf_keras")
    folder = tmp_path_factory.mktemp("published")
    run_python(PUBLISHED, folder)
    with np.load(folder / "rs50.npz") as arrays:
        return types.SimpleNamespace(path=folder / "rs50.h5", images=arrays["images"], logits=arrays["logits"])


def read(file, name):
    """A tensor by its layer's name and kind, without the counter of the stem."""
    (layer,) = (layer for layer in file if layer == name.split("/")[0] or layer.endswith(f"_{name.split('/')[0]}"))
    return file[f"{layer}/{layer}/{name.split('/')[1]}:0"][()]


def test_our_baseline_is_the_published_network(published):
    model = lk.ResNetRS50(input_shape=(77, 64, 3), classifier_activation=None)
    report = warm_start(model, path=published.path)
    assert report.is_exact
    logits = keras.ops.convert_to_numpy(model(published.images, training=False))
    np.testing.assert_allclose(logits, published.logits, atol=1e-5)


def test_every_shared_tensor_of_lambda_resnet50(published):
    model = lk.LambdaResNet50(input_shape=(64, 64, 3))
    before = {name: variable.numpy() for name, variable in variables_by_name(model).items()}
    report = warm_start(model, path=published.path)
    lambda_blocks = ["c4_block3", "c5_block1", "c5_block2", "c5_block3"]
    assert report.random == tuple(name for name in before if name.split("_lambda/")[0] in lambda_blocks)
    assert len(report.random) == 12 * len(lambda_blocks)
    assert {*report.loaded, *report.random} == {*before}
    assert not report.adapted

    with h5py.File(published.path) as file:
        stages = {"c2": 2, "c3": 3, "c4": 4, "c5": 5}
        parts = {
            "conv1": "_conv_1",
            "conv1_bn": "batch_norm_1",
            "conv2": "_conv_2",
            "conv2_bn": "_batch_norm_2",
            "conv3": "_conv_3",
            "conv3_bn": "_batch_norm_3",
            "se/squeeze": "_se_se_reduce",
            "se/excite": "_se_se_expand",
            "shortcut_conv": "_projection_conv",
            "shortcut_bn": "_projection_batch_norm",
        }

        def source_of(name):
            layer, _, kind = name.rpartition("/")
            if layer.startswith("stem"):
                return f"stem_{layer.split('_')[1].replace('bn', 'batch_norm')}_{layer[4]}/{kind}"
            if layer == "predictions":
                return name
            stage, block, part = layer.split("_", 2)
            return f"BlockGroup{stages[stage]}__block_{int(block[5:]) - 1}_{parts[part]}/{kind}"

        for name, variable in variables_by_name(model).items():
            values = variable.numpy()
            expected = before[name] if name in report.random else read(file, source_of(name))
            np.testing.assert_array_equal(values, expected.reshape(values.shape), err_msg=name)
        all_tensors = {
            f"{layer}/{kind.split(':')[0]}" for layer in file for group in file[layer] for kind in file[layer][group]
        }

    convolutions = [
        f"BlockGroup{stage}__block_{block}__{layer}"
        for stage, block in ((4, 2), (5, 0), (5, 1), (5, 2))
        for layer in (
            "conv_2/kernel",
            *(f"batch_norm_2/{kind}" for kind in ("gamma", "beta", "moving_mean", "moving_variance")),
        )
    ]
    gates = [name for name in all_tensors if "_se_se_" in name and name[10] in "45"]
    assert set(report.unused) == {*convolutions, *gates}
    assert len(gates) == 4 * (6 + 3)


def small_model(architecture="lambda_resnet50", /, **arguments):
    return lk.create_model(
        architecture, **{"input_shape": (32, 32, 3), "stem_width": 8, "stage_widths": WIDTHS, **arguments}
    )


@functools.cache
def shared_model():
    return small_model()


def published_layers(blocks=(3, 4, 6, 3), top=True):
    """The layers of a small ResNet-RS: name, and shapes of the tensors by kind."""

    def convolution(name, *shape):
        return name, {"kernel": shape}

    def batch_norm(name, width):
        return name, {kind: (width,) for kind in ("gamma", "beta", "moving_mean", "moving_variance")}

    def dense(name, *shape):
        return name, {"kernel": shape, "bias": shape[-1:]}

    yield "input_1", {}
    for number, (width, filters) in enumerate(((3, 4), (4, 4), (4, 8), (8, 8)), 1):
        yield convolution(f"stem_3_stem_conv_{number}", 3, 3, width, filters)
        yield batch_norm(f"stem_3_stem_batch_norm_{number}", filters)
    channels = 8
    for stage, (count, width) in enumerate(zip(blocks, WIDTHS, strict=True), 2):
        for block in range(count):
            name, filters = f"BlockGroup{stage}__block_{block}_", 4 * width
            yield convolution(f"{name}_conv_1", 1, 1, channels, width)
            yield batch_norm(f"{name}batch_norm_1", width)
            yield f"{name}_act_1", {}
            yield convolution(f"{name}_conv_2", 3, 3, width, width)
            yield batch_norm(f"{name}_batch_norm_2", width)
            yield convolution(f"{name}_conv_3", 1, 1, width, filters)
            yield batch_norm(f"{name}_batch_norm_3", filters)
            yield dense(f"{name}_se_se_reduce", 1, 1, filters, width)
            yield dense(f"{name}_se_se_expand", 1, 1, width, filters)
            if block == 0:
                yield convolution(f"{name}_projection_conv", 1, 1, channels, filters)
                yield batch_norm(f"{name}_projection_batch_norm", filters)
            channels = filters
    if top:
        yield dense("predictions", channels, 1000)


def write(path, layers, names_in_parts=False):
    layers = dict(layers)
    with h5py.File(path, "w") as file:
        names = np.array([name.encode() for name in layers])
        if names_in_parts:
            file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:100], names[100:]
        else:
            file.attrs["layer_names"] = names
        for layer, tensors in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([f"{layer}/{kind}:0".encode() for kind in tensors], "S")
            for kind, shape in tensors.items():
                group.create_dataset(f"{layer}/{kind}:0", data=np.random.default_rng(0).random(shape, "float32"))
    return path


@pytest.mark.parametrize("names_in_parts", [False, True], ids=["one list of names", "two lists"])
@pytest.mark.parametrize("top", [True, False], ids=["classifier", "notop"])
def test_small_network(tmp_path, top, names_in_parts):
    report = warm_start(shared_model(), path=write(tmp_path / "small.h5", published_layers(top=top), names_in_parts))
    assert all("_lambda/" in name or (not top and name.startswith("predictions/")) for name in report.random)


def test_attention_in_the_place_of_lambda_layers_stays_random(tmp_path):
    model = small_model(interaction="local", scope_size=3, share_position_embeddings=True)
    report = warm_start(model, path=write(tmp_path / "small.h5", published_layers()))
    assert report.random
    assert all("_attention/" in name for name in report.random)


def test_other_classes_leave_the_classifier_random(tmp_path):
    report = warm_start(small_model(classes=10), path=write(tmp_path / "small.h5", published_layers()))
    assert report.random[-2:] == ("predictions/kernel", "predictions/bias")
    assert {"predictions/kernel", "predictions/bias"} < set(report.unused)


def test_a_model_without_classifier_leaves_it_unused(tmp_path):
    report = warm_start(small_model(include_top=False), path=write(tmp_path / "small.h5", published_layers()))
    assert {"predictions/kernel", "predictions/bias"} < set(report.unused)


def test_a_file_of_another_depth_is_named(tmp_path):
    path = write(tmp_path / "rs101.h5", published_layers((3, 4, 23, 3)))
    with pytest.raises(WeightsError, match=r"is of depth 101, .*lambda_resnet50 is of depth 50"):
        warm_start(shared_model(), path=path)


def test_another_width_names_the_tensor_and_both_shapes(tmp_path):
    model = small_model(stage_widths=(4, 8, 12, 20))
    with pytest.raises(WeightsError, match=r"c5_block1_conv1/kernel has shape \[1, 1, 48, 16\], .* \[1, 1, 48, 20\]"):
        warm_start(model, path=write(tmp_path / "small.h5", published_layers()))


def without(name, kind=None):
    """The layers but one, or one of its tensors."""
    for layer, tensors in published_layers():
        if layer != name:
            yield layer, tensors
        elif kind:
            yield layer, {other: shape for other, shape in tensors.items() if other != kind}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            without("BlockGroup3__block_1__batch_norm_2", "beta"),
            r"BlockGroup3__block_1__batch_norm_2 .* c3_block2_conv2_bn",
        ),
        (without("BlockGroup3__block_1__conv_1"), r"BlockGroup3__block_1_batch_norm_1 .* place of c3_block2_conv1 "),
        (without("BlockGroup3__block_1__conv_2"), r"no published depth, \(3, 3, 6, 3\)"),
        (
            without("BlockGroup5__block_2__se_se_expand"),
            "the end of the file .* place of predictions",
        ),
        ([("dense", {"kernel": (3, 2), "bias": (2,)})], "no published depth"),
    ],
)
def test_a_missing_tensor_is_named(tmp_path, layers, message):
    assert_refused(write(tmp_path / "small.h5", layers), message)


def assert_refused(path, message):
    model = shared_model()
    before = [variable.numpy() for variable in model.weights]
    with pytest.raises(WeightsError, match=message):
        warm_start(model, path=path)
    for variable, values in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), values)


KERNEL = "BlockGroup3__block_1__conv_1/BlockGroup3__block_1__conv_1/kernel:0"


def soft_link(file):
    file[KERNEL] = h5py.SoftLink("/predictions/predictions/kernel:0")


def external_link(file):
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/")


def external_group(file):
    layer = KERNEL.split("/")[0]
    del file[layer]
    file[layer] = h5py.ExternalLink("other.h5", layer)


def external_storage(file):
    file.create_dataset(KERNEL, (1, 1, 32, 8), "float32", external=[("/etc/passwd", 0, 1024)])


def virtual_data_set(file):
    layout = h5py.VirtualLayout((1, 1, 32, 8), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "kernel", (1, 1, 32, 8))
    file.create_virtual_dataset(KERNEL, layout)


def values_never_written(file):
    file.create_dataset(KERNEL, (1, 1, 1 << 20, 1 << 30), "float32", chunks=(1, 1, 1, 1 << 20))


def nothing(file):
    pass


def group(file):
    file.create_group(KERNEL)


def text(file):
    file[KERNEL] = np.array([b"weights"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (soft_link, "link"),
        (external_link, "link"),
        (external_group, "link"),
        (external_storage, "not in the file"),
        (virtual_data_set, "not in the file"),
        (values_never_written, "0 stored"),
        (nothing, "kernel:0"),
        (group, "damaged"),
        (text, "kernel"),
    ],
)
def test_values_from_elsewhere_are_refused(tmp_path, change, message):
    path = write(tmp_path / "small.h5", published_layers())
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        change(file)
    assert_refused(path, message)


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = write(tmp_path / "small.h5", published_layers())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert_refused(path, "damaged")


def test_an_h5_file_of_another_kind_is_refused(tmp_path):
    shared_model().save_weights(tmp_path / "model.weights.h5")
    assert_refused(tmp_path / "model.weights.h5", "no layer_names")


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        warm_start(shared_model(), path=tmp_path / "none.h5")


@pytest.mark.parametrize("name", ["lambda_resnet_tiny", "mobilenet_v2"])
def test_models_of_another_family_are_refused(name):
    with pytest.raises(WeightsError, match="LambdaResNet 50 to 420"):
        warm_start(lk.create_model(name, input_shape=(32, 32, 3)))


def test_other_sources_are_refused():
    with pytest.raises(WeightsError, match=r"'resnet_rs'.*'imagenet'"):
        warm_start(shared_model(), weights="imagenet")


@pytest.mark.parametrize(("image_size", "expected"), [(32, 160), (180, 192)])
def test_the_published_file_of_the_nearest_size_is_fetched(tmp_path, monkeypatch, image_size, expected):
    path = write(tmp_path / "rs101.h5", published_layers((3, 4, 23, 3)))
    fetched = []
    monkeypatch.setattr(fetch, "fetch", lambda record: fetched.append(record) or path)
    model = small_model("lambda_resnet101", input_shape=(image_size, image_size, 3), name="mine")
    warm_start(model)
    (record,) = fetched
    assert record in catalog.warm_starts("resnet_rs101")
    assert record.image_size == expected
    assert record.file == f"resnet-rs-101-i{expected}.h5"


def test_a_depth_that_was_not_published_needs_a_path():
    with pytest.raises(WeightsError, match=r"\(1, 1, 1, 1\) blocks .* Give the `path`"):
        warm_start(small_model(blocks=(1, 1, 1, 1), lambda_blocks=((), (), (), (1,))))
