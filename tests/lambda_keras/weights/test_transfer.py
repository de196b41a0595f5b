import dataclasses

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies

import lambda_keras as lk
from lambda_keras.weights.assignment import assign, variables_by_name
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.transfer import adapt, resize_table


def tiny(**arguments):
    return lk.create_model("lambda_resnet_tiny", **{"input_shape": (32, 32, 3), **arguments})


def tensors_of(model):
    generator = np.random.default_rng(0)
    tensors = {name: generator.normal(size=variable.shape) for name, variable in variables_by_name(model).items()}
    return {name: np.abs(tensor).astype("float32") for name, tensor in tensors.items()}


def filled(model, tensors):
    """Adapts, assigns, and returns the report."""
    return assign(model, source="test", **dataclasses.asdict(adapt(model, tensors)))


CLASSIFIER = ("predictions/kernel", "predictions/bias")


def test_the_same_model_gets_the_tensors_as_they_are():
    model = tiny(scope_size=None)
    tensors = tensors_of(model)
    adaptation = adapt(model, tensors)
    assert all(adaptation.tensors[name] is tensor for name, tensor in tensors.items())
    assert (adaptation.adapted, adaptation.random, adaptation.unused) == ({}, (), ())


@pytest.mark.parametrize(
    ("source", "target", "random", "unused"),
    [
        ({}, {"classes": 7}, CLASSIFIER, CLASSIFIER),
        ({}, {"include_top": False}, (), CLASSIFIER),
        ({"include_top": False}, {}, CLASSIFIER, ()),
        ({"include_top": False}, {"include_top": False}, (), ()),
    ],
)
def test_another_classifier(source, target, random, unused):
    tensors = tensors_of(tiny(**source))
    report = filled(tiny(**target), tensors)
    assert (report.random, report.unused, report.adapted) == (random, unused, {})
    assert {*report.loaded, *unused} == tensors.keys()
    assert tensors.keys() == tensors_of(tiny(**source)).keys()


def test_a_fresh_classifier_stays_random_though_it_would_fit():
    model, tensors = tiny(), tensors_of(tiny())
    before = model.get_layer("predictions").kernel.numpy()
    adaptation = adapt(model, tensors, fresh_classifier=True)
    assert (adaptation.random, adaptation.unused) == (CLASSIFIER, CLASSIFIER)
    assign(model, source="test", **dataclasses.asdict(adaptation))
    np.testing.assert_array_equal(model.get_layer("predictions").kernel, before)


@pytest.mark.parametrize(("stem", "kernel"), [("small", "stem_conv/kernel"), ("resnet_rs", "stem1_conv/kernel")])
@pytest.mark.parametrize(("source", "channels"), [(3, 1), (3, 4), (1, 3)])
def test_the_response_to_images_of_other_channels(stem, kernel, source, channels):
    tensors = tensors_of(tiny(stem=stem, input_shape=(32, 32, source)))
    model = tiny(stem=stem, input_shape=(32, 32, channels))
    report = filled(model, tensors)
    assert report.adapted == {kernel: f"from {source} channels of the images to {channels}"}
    assert (report.random, report.unused) == ((), ())

    random = np.random.default_rng(1)
    if channels == 4:
        ours = random.normal(size=(2, 32, 32, 4)).astype("float32")
        theirs = ours[..., :3]
    else:
        # A grey image, once in one channel and once in all three.
        grey = random.normal(size=(2, 32, 32, 1)).astype("float32")
        ours, theirs = (np.repeat(grey, number, axis=-1) for number in (channels, source))

    def response(images, kernel):
        return keras.ops.convert_to_numpy(keras.ops.conv(images, kernel, padding="same", data_format="channels_last"))

    answers = response(ours, variables_by_name(model)[kernel]), response(theirs, tensors[kernel])
    np.testing.assert_allclose(*answers, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("source", "target"), [(3, 2), (3, 5), (1, 4), (4, 3), (4, 1)])
def test_channels_that_cannot_be_converted(source, target):
    tensors = tensors_of(tiny(input_shape=(32, 32, source)))
    with pytest.raises(WeightsError, match=rf"{source} channels and cannot be made to take {target}: .* 1 .*or 4"):
        adapt(tiny(input_shape=(32, 32, target)), tensors)


TABLES = ("c4_block2_lambda/position_embedding/table", "c5_block1_lambda/position_embedding/table")


@pytest.mark.parametrize("image_shape", [(24, 24, 3), (64, 64, 3), (32, 48, 3)])
def test_global_tables_are_resized(image_shape):
    tensors = tensors_of(tiny(scope_size=None))
    model = tiny(scope_size=None, input_shape=image_shape)
    report = filled(model, tensors)
    offsets = [2 * side // 4 - 1 for side in image_shape[:2]]
    assert report.adapted == dict.fromkeys(TABLES, f"resized from 15×15 offsets to {offsets[0]}×{offsets[1]}")
    for name in TABLES:
        np.testing.assert_array_equal(variables_by_name(model)[name], resize_table(tensors[name], offsets))


def test_local_tables_are_untouched():
    tensors = tensors_of(tiny())
    assert filled(tiny(input_shape=(48, 48, 3)), tensors).is_exact
    with pytest.raises(WeightsError, match=r"\[15, 15, 16, 1\].*\[9, 9, 16, 1\]"):
        filled(tiny(scope_size=9), tensors)


def test_another_width_is_left_to_assign():
    tensors = tensors_of(tiny(scope_size=None))
    with pytest.raises(WeightsError, match="c2_block1_conv1/kernel"):
        filled(tiny(scope_size=None, stage_widths=(12, 16, 24, 32), classes=3), tensors)
    with pytest.raises(WeightsError, match=r"table has shape \[15, 15, 16, 1\], the model's has \[15, 15, 8, 1\]"):
        filled(tiny(scope_size=None, key_dim=8), {name: tensors[name] for name in reversed(tensors)})


def test_a_smooth_position_lambda_keeps_its_values():
    """A layer with a smooth table, on smooth inputs, at another size: its output is the old one, resized."""

    def outputs(side, table=None):
        inputs = np.cos(np.pi * (np.arange(side) + 0.5) / side)
        inputs = (inputs[:, None, None] * inputs[:, None] * np.linspace(1, 2, 8))[None].astype("float32")
        layer = lk.layers.LambdaLayer(num_heads=2, key_dim=3, scope_size=None, use_content=False)
        keras.utils.set_random_seed(0)
        layer.build(inputs.shape)
        if table is None:
            offsets = np.arange(2 * side - 1) - side + 1
            bump = np.exp(-((2 * offsets / side) ** 2))
            table = (bump[:, None, None] * bump[:, None] * np.ones(3)).astype("float32")[..., None]
        else:
            table = resize_table(table, (2 * side - 1,) * 2)
        layer.position_embedding.table.assign(table)
        return keras.ops.convert_to_numpy(layer(inputs)), table

    small, table = outputs(10)
    large, _ = outputs(30, table)
    # The middle of each position of the small map is that of every third of the large one.
    np.testing.assert_allclose(large[:, 1::3, 1::3], small, atol=0.04 * np.abs(small).max())


sides = strategies.integers(1, 12)


@hypothesis.given(sides, sides)
@hypothesis.settings(max_examples=25, deadline=None)
def test_the_same_size_is_unchanged(height, width):
    table = np.random.default_rng(0).normal(size=(2 * height - 1, 2 * width - 1, 3, 2)).astype("float32")
    np.testing.assert_array_equal(resize_table(table, table.shape[:2]), table)


@hypothesis.given(sides, sides, sides, sides)
@hypothesis.settings(max_examples=50, deadline=None)
def test_what_resizing_keeps(old_height, old_width, new_height, new_width):
    old, new = (2 * old_height - 1, 2 * old_width - 1), (2 * new_height - 1, 2 * new_width - 1)
    positions = old_height * old_width / (new_height * new_width)
    table = np.random.default_rng(0).normal(size=(*old, 3, 2))
    resized = resize_table(table, new)
    assert resized.shape == (*new, 3, 2)
    # Offset 0 stays offset 0, of a sum of so many times as many positions.
    middle = resized[new_height - 1, new_width - 1]
    np.testing.assert_allclose(middle, positions * table[old_height - 1, old_width - 1], rtol=1e-12)
    # A symmetric table stays symmetric.
    symmetric = resize_table(table + table[::-1, ::-1], new)
    np.testing.assert_allclose(symmetric, symmetric[::-1, ::-1], rtol=1e-9, atol=1e-9)
    # A table that is linear in the offset stays the same linear function of the share of the map, where it is known.
    rows, columns = (np.arange(-(side // 2), side // 2 + 1) for side in old)
    linear = 2.0 * rows[:, None] / old_height - 3.0 * columns / old_width + 5
    rows, columns = (np.arange(-(side // 2), side // 2 + 1) for side in new)
    rows = np.clip(rows / new_height, -(old_height - 1) / old_height, (old_height - 1) / old_height)
    columns = np.clip(columns / new_width, -(old_width - 1) / old_width, (old_width - 1) / old_width)
    expected = positions * (2.0 * rows[:, None] - 3.0 * columns + 5)
    np.testing.assert_allclose(resize_table(linear[..., None, None], new)[..., 0, 0], expected, atol=1e-9)


def test_grids_of_one_axis_and_other_dtypes():
    table = np.random.default_rng(0).normal(size=(7, 16, 1)).astype("float16")
    resized = resize_table(table, (11,))
    assert (resized.shape, resized.dtype) == ((11, 16, 1), table.dtype)


@pytest.mark.parametrize(("shape", "offsets"), [((6, 7, 3, 1), (7, 7)), ((7, 7, 3, 1), (7, 8)), ((7, 7, 3, 1), (7,))])
def test_other_shapes_are_refused(shape, offsets):
    with pytest.raises(WeightsError, match="odd number of offsets"):
        resize_table(np.zeros(shape), offsets)
