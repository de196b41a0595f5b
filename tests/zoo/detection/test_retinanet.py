import keras
import numpy as np
import pytest
import tensorflow as tf

from lambda_keras.keras_internals import sublayers
from lambda_keras.zoo.detection import losses
from lambda_keras.zoo.detection.model import freeze_stages, network_of
from lambda_keras.zoo.detection.retinanet import (
    RetinaNet,
    anchor_box,
    build_retinanet,
    detect,
    focal_class,
    retinanet_terms,
)
from lambda_keras.zoo.training.averages import batch_norms
from tests.zoo.detection.conftest import BACKBONE, OVERRIDES

CONFIG = RetinaNet(BACKBONE, classes=3, image_size=64, overrides=OVERRIDES, channels=8, detections=6)
# At each place 9 anchors.
ANCHORS = 9 * (8**2 + 4**2 + 2**2 + 1 + 1)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return build_retinanet(CONFIG)


def test_every_variable_has_a_path_of_its_own(model):
    paths = [variable.path for variable in model.variables]
    assert len(set(paths)) == len(paths)
    assert {"backbone", "pyramid", "dense_head"} <= {layer.name for layer in model.layers}


def test_every_batch_norm_is_the_package_s(model):
    found = [layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    assert found == batch_norms(model)
    # Five of the pyramid, four of each of two branches at each of five levels, and the backbone's.
    assert len(found) == 45 + len(batch_norms(network_of(model)))


def test_an_untrained_model_gives_every_class_a_probability_of_one_hundredth(model):
    raw = model(np.zeros((1, 64, 64, 3), "float32"))
    assert sum(x.shape[1] * x.shape[2] * x.shape[3] for x in raw["boxes"].values()) == 4 * ANCHORS
    for logits in raw["logits"].values():
        np.testing.assert_allclose(tf.sigmoid(logits), 0.01, rtol=1e-2)


def test_the_focal_loss_is_that_of_the_paper():
    logits = np.random.default_rng(0).normal(size=(1, 2, 3)).astype("float32")
    probability = 1 / (1 + np.exp(-logits.astype(float)))
    expected = 0
    for anchor, label in enumerate((2, 0)):
        for place in range(3):
            right = place == label - 1
            p = probability[0, anchor, place] if right else 1 - probability[0, anchor, place]
            expected -= (0.25 if right else 0.75) * (1 - p) ** 1.5 * np.log(p)
    term = focal_class(tf.constant(logits), tf.constant([[2, 0]]))
    np.testing.assert_allclose(term.total, expected, rtol=1e-5)
    assert term.count == 1


def test_boxes_are_of_positive_anchors():
    boxes = tf.constant([[[0.05, 0.2, 0, 0], [9, 9, 9, 9]]], tf.float32)
    term = anchor_box(boxes, tf.zeros([1, 2, 4]), tf.constant([[True, False]]))
    np.testing.assert_allclose(term.total, 50 * (0.05**2 / 2 + 0.1 * (0.2 - 0.05)), rtol=1e-5)
    assert term.count == 4


def test_every_weight_has_a_gradient(model, batch):
    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            terms = retinanet_terms(CONFIG, model, batch["images"], batch)
            loss = losses.mean(terms, {name: term.count for name, term in terms.items()})
        return terms, loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    terms, loss, gradients = step()
    assert np.isfinite(loss)
    assert 0 < terms["class"].count == terms["box"].count / 4
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path


@pytest.mark.parametrize("combined", [True, False])
def test_the_object_of_the_one_anchor_that_is_sure_is_found(batch, combined):
    """Of the anchors of p6, which is one place, the first: a box twice as high as wide round the centre."""
    model = build_retinanet(CONFIG)
    head = model.get_layer("dense_head").get_layer("dense_class_prediction")
    bias = np.full((9, 3), -9.0)
    bias[0, 1] = 3
    head.bias.assign(bias.ravel())

    @tf.function(autograph=False)
    def find(images):
        return detect(CONFIG, model, images, tf.constant([[64.0, 64.0], [40.0, 64.0]]), combined)

    found = find(batch["images"])
    assert set(found.classes.numpy()[found.scores > 0.5]) == {2}
    np.testing.assert_allclose(found.scores[:, 0], 1 / (1 + np.exp(-3)), rtol=1e-3)
    assert found.boxes.numpy()[1, :, 2].max() <= 40
    assert found.masks is None


def test_stages_are_frozen(model):
    freeze_stages(model, "c2")
    assert all(not layer.trainable for layer in network_of(model).layers if layer.name.startswith(("stem", "c2")))
