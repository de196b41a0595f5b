import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import detector_memory
from lambda_keras.zoo.detection import losses
from lambda_keras.zoo.detection.forward import mask_rcnn_terms
from lambda_keras.zoo.detection.model import build_mask_rcnn
from lambda_keras.zoo.detection.sampling import seeds_of_images

# They keep a state, or draw from one.
STATEFUL_RANDOM = ("RandomUniform", "RandomStandardNormal", "RandomShuffle", "TruncatedNormal", "Multinomial", "Rng")


def make_step(config, model, jit_compile=False):
    """A function of a batch and a seed that returns the loss, its terms and the gradients."""

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(batch, seed):
        seeds = seeds_of_images(seed, tf.range(2))
        with tf.GradientTape() as tape:
            terms = mask_rcnn_terms(config, model, batch["images"], batch, seeds)
            loss = losses.mean(terms, {name: term.count for name, term in terms.items()})
        return loss, terms, tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    return step


@pytest.fixture(scope="session")
def step(config, small_detector):
    return make_step(config, small_detector[0])


def test_every_weight_has_a_gradient(step, detector, batch):
    loss, terms, gradients = step(batch, tf.constant([1, 2]))
    assert np.isfinite(loss)
    assert set(terms) == {"proposal_score", "proposal_box", "box_class", "box_regression", "mask"}
    assert all((term.total.numpy() > 0).any() for term in terms.values())
    for variable, gradient in zip(detector.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), variable.path


def test_the_counts_are_of_the_samples_or_of_the_objects(step, detector, batch):
    _, terms, _ = step(batch, tf.constant([1, 2]))
    counts = {name: term.count.numpy() for name, term in terms.items()}
    assert counts["proposal_score"] == 2 * 32
    assert counts["box_class"] == 2 * 16
    assert counts["proposal_box"].shape == (5,)
    # A quarter of 16 regions, in the image that has objects.
    assert counts["box_regression"] == 4 * 4
    assert counts["mask"] == 4 * 28 * 28


def test_a_step_is_a_function_of_its_seed(step, small_detector, batch):
    model, weights = small_detector

    def loss(seed):
        # Of the moving statistics training reads nothing, but its weights must be the same.
        model.set_weights(weights)
        return float(step(batch, tf.constant(seed))[0])

    first, second, other = loss([1, 2]), loss([1, 2]), loss([1, 3])
    assert first == second != other


def test_nothing_in_the_graph_draws_from_a_state(step, batch):
    graph = step.get_concrete_function(batch, tf.constant([1, 2])).graph.as_graph_def()
    kinds = {node.op for node in graph.node} | {node.op for f in graph.library.function for node in f.node_def}
    assert "StatelessRandomUniformIntV2" in kinds
    assert [kind for kind in kinds if kind.startswith(STATEFUL_RANDOM)] == []


def test_xla_compiles_the_step_to_the_same_loss(config, spread_detector, batch, step):
    """It rounds otherwise, and so ranks proposals of all but equal scores otherwise.

    At first all scores are within 1e-4 of 1/2, where float32 has a few hundred numbers for thousands of anchors: which
    of those that tie are kept, and at which places of the list that is drawn from, is then left to rounding. With
    scores that differ, the proposals and with them the losses are the same.
    """
    seed = tf.constant([1, 2])
    loss, terms, gradients = step(batch, seed)
    compiled = make_step(config, spread_detector, jit_compile=True)
    compiled_loss, compiled_terms, compiled_gradients = compiled(batch, seed)
    np.testing.assert_allclose(compiled_loss, loss, rtol=1e-5)
    for name, term in terms.items():
        np.testing.assert_allclose(compiled_terms[name].total, term.total, rtol=1e-4, err_msg=name)
        np.testing.assert_array_equal(compiled_terms[name].count, term.count, err_msg=name)
    norm, compiled_norm = tf.linalg.global_norm(gradients), tf.linalg.global_norm(compiled_gradients)
    np.testing.assert_allclose(compiled_norm, norm, rtol=1e-3)


def test_half_precision_has_finite_losses_and_its_weights_in_float32(config, batch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_mask_rcnn(config)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {str(variable.dtype) for variable in model.trainable_variables} == {"float32"}
    seeds = seeds_of_images(tf.constant([1, 2]), tf.range(2))
    terms = tf.function(lambda: mask_rcnn_terms(config, model, batch["images"], batch, seeds), autograph=False)()
    for term in terms.values():
        assert term.total.dtype == tf.float32
        assert np.isfinite(term.total).all()


MEASURE = """
import sys
from benchmarks.detector_memory import gradient, run_alone
from lambda_keras.zoo.detection.model import MaskRCNN
from tests.zoo.detection.conftest import BACKBONE, OVERRIDES
from tests.zoo.detection.training import SMALL
run_alone(gradient, MaskRCNN(BACKBONE, 3, int(sys.argv[1]), overrides=OVERRIDES, **SMALL))
"""


def test_the_memory_of_a_gradient_grows_no_faster_than_the_pixels(run_python):
    growths = []
    for size in (256, 512):
        before, peak = map(int, run_python(MEASURE, size).split()[-2:])
        growths.append(peak - before)
    # Of four times the pixels.
    assert 0 < growths[1] <= 4.6 * growths[0]


@pytest.mark.memory
@pytest.mark.parametrize(("work", "most"), [("inference", 2.5e9), ("gradient, blocks computed again", 6e9)])
def test_the_memory_of_an_image_of_1024_pixels(work, most):
    """LambdaResNet-50 and all sizes of its detector, as its recipe has them, in processes of their own."""
    (before, small), (before_large, large) = (detector_memory.measure(work, size) for size in (512, 1024))
    assert large < most
    # Four times the pixels.
    assert 0 < large - before_large <= 4.6 * (small - before)
