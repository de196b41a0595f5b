import dataclasses

import keras
import numpy as np
import pytest

import lambda_keras as lk
from lambda_keras.keras_internals import sublayers
from lambda_keras.zoo.detection.model import (
    STAGES,
    STRIDES,
    MaskRCNN,
    build_backbone,
    build_mask_rcnn,
    freeze_stages,
    network_of,
    parts_of,
)
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.training.averages import batch_norms
from tests.zoo.detection.conftest import BACKBONE, OVERRIDES

SMALL = {"classes": 2, "image_size": 64, "channels": 4, "dense_channels": 4}
IMAGES = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(1)
    model = lk.create_model(BACKBONE, input_shape=(64, 64, 3), **OVERRIDES)
    model(IMAGES, training=True)
    return model


def check_maps_are_those_of(classifier, model, names):
    """The maps of a detector's backbone are the very bits of layers of the classifier."""
    expected = keras.Model(classifier.input, [classifier.get_layer(name).output for name in names])(IMAGES)
    found = parts_of(model).backbone(IMAGES)
    assert list(found) == list(STAGES)
    for one, other in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_maps_are_the_classifier_s_own_bit_for_bit(classifier, detector, tmp_path):
    classifier.save_weights(tmp_path / "classifier.weights.h5")
    report = lk.load_weights(network_of(detector), tmp_path / "classifier.weights.h5", fit="adapt")
    assert not report.random
    names = ["c2_block1_relu", "c3_block1_relu", "c4_block2_relu", "c5_block1_relu"]
    check_maps_are_those_of(classifier, detector, names)


@pytest.mark.parametrize("name", ["mobilenet_v2", "lambda_mobilenet_v2"])
def test_a_registered_model_is_a_backbone(name):
    model = build_mask_rcnn(MaskRCNN(name, **SMALL))
    shapes = [x.shape[1:] for x in parts_of(model).backbone.output.values()]
    assert shapes == [(16, 16, 24), (8, 8, 32), (4, 4, 96), (2, 2, 320)]


@pytest.mark.parametrize(
    "name",
    [
        "lambda_resnet50",
        "resnet_rs50",
        "resnet50_llll",
        "lambda_resnet26t",
        "lambda_resnet26rpt_256",
        "lambda_resnet50ts",
    ],
)
def test_maps_of_each_family_have_the_strides_of_a_pyramid(name):
    maps = build_backbone(MaskRCNN(name, **SMALL), STAGES).output
    assert {stage: 64 // x.shape[1] for stage, x in maps.items()} == dict(zip(STAGES, STRIDES, strict=True))


def test_a_network_of_keras_applications_is_a_backbone():
    network = keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, weights=None)
    names = ["block_2_add", "block_5_add", "block_12_add", "block_16_project_BN"]
    maps = keras.Model(network.input, [network.get_layer(name).output for name in names], name="keras_mobilenet")
    model = build_mask_rcnn(MaskRCNN(maps, **SMALL))
    check_maps_are_those_of(network, model, names)
    assert network_of(model) is maps


def test_a_backbone_s_own_blocks_are_computed_again_in_the_gradient(monkeypatch):
    calls = []
    remat = keras.remat
    monkeypatch.setattr(keras, "remat", lambda function: calls.append(function) or remat(function))
    model = build_mask_rcnn(MaskRCNN(BACKBONE, overrides={**OVERRIDES, "remat": "blocks"}, **SMALL))
    parts_of(model).backbone(IMAGES, training=True)
    assert len(calls) == 5


def test_every_variable_has_a_path_of_its_own_and_is_in_one_part(detector):
    paths = [variable.path for variable in detector.variables]
    assert len(set(paths)) == len(paths)
    parts = parts_of(detector)
    assert [part.name for part in parts] == list(parts._fields)
    assert sorted(paths) == sorted(variable.path for part in parts for variable in part.variables)


def test_every_batch_norm_is_the_package_s(detector):
    found = [layer for layer in sublayers(detector) if isinstance(layer, keras.layers.BatchNormalization)]
    assert found == batch_norms(detector)
    # Five of the pyramid, five of proposals, five of the box head, five of the mask head, and the backbone's.
    assert len(found) == 20 + len(batch_norms(network_of(detector)))


def test_without_masks_there_is_no_mask_head(config):
    model = build_mask_rcnn(dataclasses.replace(config, masks=False))
    assert parts_of(model).mask_head is None
    assert {x.name for x in model.inputs} == {"images", "box_crops"}


def test_a_detector_is_saved_and_loaded_as_any_model(detector, tmp_path):
    detector.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert [variable.path for variable in loaded.variables] == [variable.path for variable in detector.variables]
    for one, other in zip(loaded.get_weights(), detector.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    maps = [parts_of(model).pyramid(parts_of(model).backbone(IMAGES)) for model in (loaded, detector)]
    np.testing.assert_array_equal(maps[0]["p2"], maps[1]["p2"])


@pytest.mark.parametrize(("stage", "last"), [("c2", "c2"), ("c4", "c4"), ("c5", "c5")])
def test_frozen_stages_are_all_layers_up_to_them(stage, last):
    model = build_mask_rcnn(MaskRCNN(BACKBONE, overrides=OVERRIDES, **SMALL))
    freeze_stages(model, stage)
    frozen = {variable.path.split("_")[0] for variable in network_of(model).variables} - {
        variable.path.split("_")[0] for variable in network_of(model).trainable_variables
    }
    assert frozen == {"stem", *STAGES[: STAGES.index(last) + 1]}
    assert len(model.trainable_variables) - len(network_of(model).trainable_variables) == sum(
        len(part.trainable_variables) for part in parts_of(model)[1:]
    )
    statistics = [variable for layer in batch_norms(network_of(model)) for variable in layer.non_trainable_variables]
    before = {variable.path: variable.numpy() for variable in statistics}
    parts_of(model).backbone(IMAGES, training=True)
    still = {variable.path for variable in statistics if np.array_equal(variable, before[variable.path])}
    assert still == {path for path in before if path.split("_")[0] in frozen}


def network_with(count, strides=(4, 8, 16, 32)):
    image = keras.Input((None, None, 3))
    outputs = [keras.layers.AveragePooling2D(stride, stride)(image) for stride in strides[:count]]
    return keras.Model(image, outputs, name="pools")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"backbone": "lambda_resnet_tiny"}, "'lambda_resnet_tiny' returns maps of .*strides 4, 8, 16 and 32"),
        ({"backbone": "lambda_resnet51"}, "lambda_resnet51.*lambda_resnet50"),
        ({"overrides": {"stem": "vanilla", "keydim": 3}}, "keydim.*key_dim"),
        ({"backbone": network_with(3), "overrides": {}}, "'pools' has 3 outputs"),
        ({"backbone": network_with(4, (2, 4, 8, 16)), "overrides": {}}, "'pools' returns maps of"),
        ({"backbone": keras.applications.MobileNetV2((96, 96, 3), weights=None), "overrides": {}}, "images of 64×64"),
        ({"image_size": 100}, "multiple of 64.*100"),
        ({"image_size": 0}, "multiple of 64.*0"),
        ({"classes": 0}, "classes=0"),
    ],
)
def test_what_cannot_be_built_is_one_line(values, said):
    overrides = {} if values.get("backbone") == "lambda_resnet_tiny" else OVERRIDES
    arguments = {"backbone": BACKBONE, "overrides": overrides, **SMALL, **values}
    with pytest.raises(UserError, match=said) as error:
        build_mask_rcnn(MaskRCNN(**arguments))
    assert "\n" not in str(error.value)


def test_a_stage_that_there_is_not_is_one_line(detector):
    with pytest.raises(UserError, match="'c6'"):
        freeze_stages(detector, "c6")
