import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_keras.zoo.detection.sampling import sample, seeds_of_draw, seeds_of_images

CANDIDATES = 40


def seeds(images=1, seed=0):
    return seeds_of_images(tf.constant([seed, 7]), tf.range(images))


@settings(deadline=None, max_examples=30)
@given(
    kinds=st.lists(st.sampled_from("pn-"), min_size=CANDIDATES, max_size=CANDIDATES),
    count=st.integers(1, CANDIDATES),
    fraction=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_as_many_are_drawn_as_can_be_and_no_more(kinds, count, fraction, seed):
    positive, negative = (np.array([kind == wanted for kind in kinds]) for wanted in "pn")
    drawn, is_drawn = (x.numpy()[0] for x in sample(positive[None], negative[None], count, fraction, seeds(seed=seed)))
    taken = drawn[is_drawn]
    positives = min(positive.sum(), int(count * fraction))
    negatives = min(negative.sum(), count - positives)
    assert len(drawn) == count
    assert len({*taken}) == len(taken) == positives + negatives
    assert positive[taken[:positives]].all()
    assert negative[taken[positives:]].all()
    assert is_drawn[: len(taken)].all()


def test_all_of_a_kind_are_equally_probable():
    positive = tf.tile(tf.range(10)[tf.newaxis] < 4, [300, 1])
    drawn, _ = sample(positive, ~positive, 4, 0.5, seeds(300))
    shares = np.bincount(drawn.numpy().ravel(), minlength=10) / 300
    # Two of four positives, and two of six negatives: within four standard deviations.
    np.testing.assert_allclose(shares, [1 / 2] * 4 + [1 / 3] * 6, atol=0.12)


def test_a_draw_is_a_function_of_the_image_s_seed_alone():
    random = np.random.default_rng(0)
    positive = tf.constant(random.random((4, 200)) < 0.3)
    of_all = seeds(4)
    drawn, _ = sample(positive, ~positive, 20, 0.25, of_all)
    again, _ = sample(positive[2:], ~positive[2:], 20, 0.25, of_all[2:])
    np.testing.assert_array_equal(drawn[2:], again)
    other, _ = sample(positive, ~positive, 20, 0.25, seeds_of_draw(of_all, 1))
    assert (drawn.numpy() != other.numpy()).any(axis=1).all()


def test_xla_draws_the_same():
    positive = tf.constant(np.random.default_rng(0).random((2, 50)) < 0.3)

    def draw(seed):
        return sample(positive, ~positive, 20, 0.25, seeds_of_draw(seeds_of_images(seed, tf.range(2)), 3))

    plain, compiled = (tf.function(draw, jit_compile=jit)(tf.constant([3, 4])) for jit in (False, True))
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_array_equal(one, other)
