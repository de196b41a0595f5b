"""timm's networks and lambda layer: the same numbers from the same weights, the way back, and what is refused."""

import functools

import keras
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import lambda_keras as lk
from lambda_keras.weights.assignment import assign
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.timm import (
    export_to_timm,
    from_timm,
    is_timm,
    lambda_layer_from_timm,
    lambda_layer_to_timm,
    to_timm,
)
from tests.golden import timm_models
from tests.little_room import little_room

PARAMETERS = {"lambda_resnet26t": 10_958_272, "lambda_resnet26rpt_256": 10_988_688, "lambda_resnet50ts": 21_536_832}
CASES = [(name, size) for name, sizes in timm_models.SIZES.items() for size in sizes]


@functools.cache
def recorded(name):
    with np.load(timm_models.path(name), allow_pickle=False) as file:
        return dict(file)


def state_dict(name, seed=0):
    arrays = recorded(name)
    shapes = {key: tuple(map(int, shape.split())) for key, shape in zip(arrays["names"], arrays["shapes"], strict=True)}
    return timm_models.state_dict(shapes, seed)


@pytest.fixture(scope="module")
def build():
    """Makes models, each once."""

    @functools.cache
    def build(name, size=(256, 256), **arguments):
        return lk.create_model(name, input_shape=(*size, 3), classifier_activation=None, **arguments)

    yield build
    keras.backend.clear_session()


def without_classifier(tensors):
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("predictions/")}


def assert_close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4 * np.std(expected))


def assert_same(received, expected):
    """Equal names, shapes, types and bits."""
    assert received.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (received[name].shape, received[name].dtype) == (tensor.shape, tensor.dtype), name
        assert received[name].tobytes() == tensor.tobytes(), name


def check_model(build, name, size, seed, arrays):
    """Logits, and the maps of the stem and of each stage, of our model with the weights of a seed."""
    prefix = f"{size[0]}x{size[1]}"
    model, config = build(name, size), lk.applications.get_config(name)
    assert assign(model, from_timm(model, state_dict(name, seed)), "timm").is_exact
    layers = {"logits": "predictions", "stem": "stem_pool"}
    for number, stage in enumerate(("c2", "c3", "c4", "c5")):
        layers[stage] = f"{stage}_block{config.blocks[number]}_{config.activation}"
    outputs = {key: model.get_layer(layer).output for key, layer in layers.items()}
    maps = keras.Model(model.input, outputs).predict(timm_models.images(size), verbose=0)
    assert_close(maps["logits"], arrays[f"{prefix}:logits"])
    for stage in timm_models.STAGES:
        values, deviation = maps[stage], arrays[f"{prefix}:{stage}:std"]
        assert abs(values.mean() - arrays[f"{prefix}:{stage}:mean"]) < 1e-4 * deviation
        assert abs(values.std() - deviation) < 1e-4 * deviation
        assert_close(values.ravel()[arrays[f"{prefix}:{stage}:indices"]], arrays[f"{prefix}:{stage}:values"])


@pytest.mark.parametrize(("name", "size"), CASES)
def test_recorded_outputs(build, name, size):
    check_model(build, name, size, 0, recorded(name))


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(build, name):
    assert recorded(name)["parameters"] == PARAMETERS[name]
    assert sum(int(np.prod(variable.shape)) for variable in build(name).trainable_variables) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_round_trip_is_exact(build, name, tmp_path):
    model, tensors = build(name), state_dict(name)
    assign(model, from_timm(model, tensors), "timm")
    assert_same(to_timm(model), tensors)
    export_to_timm(model, tmp_path / "model.safetensors")
    assert_same(safetensors.numpy.load_file(tmp_path / "model.safetensors"), tensors)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_an_export_that_fails_leaves_the_file_as_it_was(build, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"before")
    model = build("lambda_resnet26t")
    with little_room(), pytest.raises(OSError, match="File too large"):
        export_to_timm(model, tmp_path / "model.safetensors")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]


def test_is_timm(build):
    assert all(is_timm(state_dict(name)) for name in PARAMETERS)
    assert not is_timm(from_timm(build("lambda_resnet26t"), state_dict("lambda_resnet26t")))


# What was done to a state dict of lambda_resnet26t, and what the message says.
QKV = "stages.2.1.self_attn.qkv.weight"
REFUSED = {
    "missing": (
        lambda tensors: tensors.pop("stages.2.1.self_attn.norm_q.running_mean"),
        r"nothing for stages\.2\.1\.self_attn\.norm_q\.running_mean \[64\].*something was lost",
    ),
    "unknown": (
        lambda tensors: tensors.update({"stages.0.0.attn.fc1.weight": np.zeros((8, 64))}),
        r"stages\.0\.0\.attn\.fc1\.weight \[8, 64\] fits nowhere.*something was lost, added",
    ),
    "unknown counter": (
        lambda tensors: tensors.update({"stages.9.bn.num_batches_tracked": np.zeros(())}),
        r"stages\.9\.bn\.num_batches_tracked \[\] fits nowhere",
    ),
    "rank": (
        lambda tensors: tensors.update({"stem.conv1.conv.weight": np.zeros((24, 27))}),
        r"stem\.conv1\.conv\.weight has shape \[24, 27\], the model's has \[24, 3, 3, 3\]",
    ),
    "width": (
        lambda tensors: tensors.update({QKV: tensors[QKV][:-16]}),
        r"qkv\.weight has shape \[128, 256, 1, 1\], the model's has \[144, 256, 1, 1\]",
    ),
    "projections with a bias": (
        lambda tensors: tensors.update({QKV.replace("weight", "bias"): np.zeros(144)}),
        r"qkv\.bias \[144\] fits nowhere.*`qkv_bias=True`",
    ),
    "another model": (
        lambda tensors: (tensors.clear(), tensors.update(state_dict("lambda_resnet50ts"))),
        r"and \d+ more.*They have 3, 4, 6, 3 blocks.*local.*the model needs 2, 2, 2, 2 blocks.*local",
    ),
    "global tables": (
        lambda tensors: (tensors.clear(), tensors.update(state_dict("lambda_resnet26rpt_256"))),
        r"nothing for \S+\.conv_lambda\.weight \[16, 1, 9, 9, 1\].*They have 2, 2, 2, 2 .*global position tables, the",
    ),
    "no network": (lambda tensors: tensors.clear(), "They have no position tables, the model needs 2, 2, 2, 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(build, case):
    change, message = REFUSED[case]
    tensors = state_dict("lambda_resnet26t")
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        from_timm(build("lambda_resnet26t"), tensors)


@pytest.mark.parametrize(
    ("timm", "shape", "ours", "converted"),
    [
        ("head.fc.weight", (10, 2048), "predictions/kernel", (2048, 10)),
        ("stem.conv1.conv.weight", (24, 4, 3, 3), "stem1_conv/kernel", (3, 3, 4, 24)),
        ("stages.3.1.self_attn.pos_emb", (27, 19, 16), "c5_block2_lambda/position_embedding/table", (27, 19, 16, 1)),
        ("stages.0.1.conv2_kxk.conv.weight", (64, 64, 5, 5), "c2_block2_conv2/kernel", (5, 5, 64, 64)),
    ],
)
def test_other_sizes_come_through_and_are_refused_where_they_are_assigned(build, timm, shape, ours, converted):
    model = build("lambda_resnet26rpt_256")
    tensors = from_timm(model, {**state_dict("lambda_resnet26rpt_256"), timm: np.zeros(shape, "float32")})
    assert tensors[ours].shape == converted
    with pytest.raises(WeightsError, match=f"{ours} has shape"):
        assign(model, tensors, "timm")


def test_a_classifier_may_be_in_one_of_the_two_only(build):
    tensors = state_dict("lambda_resnet26t")
    backbone = build("lambda_resnet26t", include_top=False)
    converted = from_timm(backbone, tensors)
    np.testing.assert_array_equal(converted["predictions/kernel"], tensors["head.fc.weight"].T)
    with pytest.raises(WeightsError, match="no classifier"):
        assign(backbone, converted, "timm")
    assign(backbone, without_classifier(converted), "timm")
    headless = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
    assert_same(to_timm(backbone), headless)
    model = build("lambda_resnet26t")
    with pytest.raises(WeightsError, match="nothing for predictions/kernel"):
        assign(model, from_timm(model, headless), "timm")


def test_other_networks_are_refused(build):
    model = lk.create_model("lambda_resnet_tiny")
    for convert in (to_timm, functools.partial(from_timm, tensors=state_dict("lambda_resnet26t"))):
        with pytest.raises(WeightsError, match="no layer like 'stem_conv' of lambda_resnet_tiny"):
            convert(model)


def test_models_with_shared_tables_are_refused():
    table = lk.layers.RelativePositionEmbedding(key_dim=16, intra_depth=1, scope_size=None)
    x = inputs = keras.Input((4, 4, 8))
    for block in (1, 2):
        arguments = {"scope_size": None, "batch_norm_epsilon": 1e-5, "position_embedding": table}
        x = lk.layers.LambdaLayer(**arguments, name=f"c5_block{block}_lambda")(x)
    with pytest.raises(WeightsError, match="without shared position tables"):
        to_timm(keras.Model(inputs, x))


def lambda_layer(shape=(None, 6, 6, 8), **arguments):
    arguments = {"scope_size": 3, "use_position_bias": True, "batch_norm_epsilon": 1e-5, **arguments}
    layer = lk.layers.LambdaLayer(**arguments)
    layer.build(shape)
    return layer


@pytest.mark.parametrize(
    "arguments",
    [
        {"intra_depth": 2},
        {"use_content": False},
        {"use_position": False, "use_position_bias": False},
        {"use_position_bias": False},
        {"scope_size": None, "use_position_bias": True},
        {"key_normalization": "l2"},
        {"query_softmax": True},
        {"use_batch_norm": False},
        {"batch_norm_epsilon": 1e-3},
    ],
)
def test_layers_that_timm_cannot_have_are_refused(arguments):
    with pytest.raises(WeightsError, match=f"cannot be as lambda_layer.* is, with .*{list(arguments)[-1]}"):
        lambda_layer_to_timm(lambda_layer(**arguments))


def test_layers_of_another_rank_or_without_weights_are_refused():
    with pytest.raises(WeightsError, match="1 axes of positions"):
        lambda_layer_to_timm(lambda_layer((None, 6, 8)))
    with pytest.raises(WeightsError, match="no weights yet"):
        lambda_layer_to_timm(lk.layers.LambdaLayer())


def timm_layer(seed, **arguments):
    """A timm layer with weights of a seed, and its state dict in NumPy."""
    import torch

    from tests.golden.without_torchvision import import_timm

    layer = import_timm().layers.lambda_layer.LambdaLayer(**arguments).eval()
    shapes = {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
    tensors = timm_models.state_dict(shapes, seed)
    layer.load_state_dict({name: torch.tensor(tensor) for name, tensor in tensors.items()})
    return layer, tensors


@pytest.mark.backends
@settings(max_examples=10, deadline=None)
@given(
    heads=st.sampled_from([1, 2, 4]),
    value_dim=st.integers(1, 6),
    key_dim=st.integers(1, 9),
    scope=st.sampled_from([None, 1, 3, 5, 13]),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_layer_live(heads, value_dim, key_dim, scope, height, width, seed):
    import torch

    channels = heads * value_dim
    arguments = {"num_heads": heads, "dim_head": key_dim, "r": scope, "feat_size": (height, width)}
    peer, tensors = timm_layer(seed, dim=channels, **arguments)
    layer = lambda_layer(
        (None, height, width, channels),
        num_heads=heads,
        key_dim=key_dim,
        scope_size=scope,
        use_position_bias=scope is not None,
    )
    assert assign(layer, lambda_layer_from_timm(layer, tensors), "timm").is_exact
    assert_same(lambda_layer_to_timm(layer), tensors)
    images = np.random.default_rng(seed).normal(size=(2, height, width, channels)).astype("float32")
    with torch.inference_mode():
        expected = peer(torch.tensor(images.transpose(0, 3, 1, 2).copy())).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(layer(images, training=False), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.backends
def test_layer_with_another_width():
    # timm's forward only takes dim_out == dim.
    _, tensors = timm_layer(0, dim=6, dim_out=12, num_heads=2, dim_head=None, r=3)
    layer = lambda_layer((None, 5, 5, 6), filters=12, num_heads=2, key_dim=8)
    assign(layer, lambda_layer_from_timm(layer, tensors), "timm")
    assert_same(lambda_layer_to_timm(layer), tensors)


@pytest.mark.backends
def test_layer_with_biased_projections_is_refused():
    _, tensors = timm_layer(0, dim=8, r=3, qkv_bias=True)
    with pytest.raises(WeightsError, match=r"qkv\.bias \[82\] fits nowhere.*`qkv_bias=True`"):
        lambda_layer_from_timm(lambda_layer(), tensors)


@pytest.mark.backends
@pytest.mark.parametrize(("name", "size"), dict(CASES).items())
def test_live_outputs(build, name, size):
    check_model(build, name, size, 1, timm_models.compute(name, seed=1, sizes=[size]))


@pytest.mark.backends
@pytest.mark.parametrize("name", PARAMETERS)
def test_recorded_outputs_are_fresh(name):
    arrays, fresh = recorded(name), timm_models.compute(name, 0, timm_models.SIZES[name])
    assert arrays.keys() == fresh.keys()
    for key, array in fresh.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(arrays[key], array, rtol=1e-4, atol=1e-5 * np.abs(array).max(), err_msg=key)
        else:
            np.testing.assert_array_equal(arrays[key], array, err_msg=key)


@pytest.mark.backends
@pytest.mark.parametrize("name", PARAMETERS)
def test_timm_loads_an_exported_file(build, name, tmp_path):
    from tests.golden.without_torchvision import import_timm

    model, tensors = build(name), state_dict(name)
    assign(model, from_timm(model, tensors), "timm")
    export_to_timm(model, tmp_path / "model.safetensors")
    # A checkpoint is loaded strictly.
    peer = import_timm().create_model(name, checkpoint_path=str(tmp_path / "model.safetensors"))
    assert_same({key: tensor.numpy() for key, tensor in peer.state_dict().items()}, tensors)
