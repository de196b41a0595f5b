import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from lambda_keras.explain import InteractionMap
from lambda_keras.zoo.explaining import plots
from lambda_keras.zoo.explaining.rows import Explanation

GREY = np.full((32, 32, 1), 128, "uint8")


def drawn(weights, query=None, image=GREY, colours=plots.SIGNED_COLOURS):
    """The pixels of an overlay that fills a picture of 320×320."""
    figure = Figure(figsize=(3.2, 3.2), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    plots.overlay(axes, image, weights, query, colours)
    return picture(figure)


def picture(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    stream.seek(0)
    return matplotlib.image.imread(stream)[..., :3]


@pytest.mark.parametrize("channels", [1, 3])
def test_each_weight_has_its_colour_at_its_place(channels):
    weights = np.zeros((4, 4))
    weights[0, 3], weights[2, 1] = 5, -5
    red, blue, zero = (
        drawn(weights, image=np.full((32, 32, channels), 128, "uint8"))[place]
        for place in ((40, 280), (200, 120), (280, 280))
    )
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]
    assert np.ptp(zero) < 0.02, "a weight of zero leaves the grey of the image"


def test_half_of_the_largest_weight_is_fainter_and_the_scale_is_symmetric():
    picture = drawn(np.array([[4.0, 2.0], [-2.0, -4.0]]))
    strong, weak, opposite_weak, opposite_strong = (
        np.ptp(picture[place]) for place in ((80, 80), (80, 240), (240, 80), (240, 240))
    )
    assert strong > weak
    assert opposite_strong > opposite_weak


def test_the_image_can_be_seen_below():
    image = GREY.copy()
    image[:, :16] = 0
    picture = drawn(np.zeros((2, 2)), image=image)
    assert picture[160, 240].mean() - picture[160, 80].mean() > 0.1


def test_the_query_is_marked_in_the_middle_of_its_place():
    picture = drawn(np.zeros((4, 8)), query=(3, 1))
    rows, columns = np.nonzero((picture[..., 0] > 0.9) & (picture[..., 2] < 0.2))
    assert rows.mean() == pytest.approx(280, abs=2)
    assert columns.mean() == pytest.approx(60, abs=2)


def test_weights_without_a_sign_have_one_colour():
    picture = drawn(np.array([[0.0, 3.0]]), colours=plots.POSITIVE_COLOURS)
    assert np.ptp(picture[160, 80]) < 0.02
    assert picture[160, 240, 0] > 2 * picture[160, 240, 2]


def explanation(**changes):
    content = np.random.default_rng(0).normal(size=(2, 4, 5, 1))
    found = InteractionMap("c5_lambda", (1, 2), content, -content, np.zeros((4, 5, 1, 3)), np.zeros(2))
    values = {"image": GREY, "predicted": "cat", "probability": 0.75, "interaction_map": found, "explained": "cat"}
    return Explanation(**{**values, "grad_cam": np.eye(4), **changes})


def test_a_row_names_what_it_shows():
    figure = plots.grid([explanation(), explanation(explained="dog")])
    (first, *_, cam), bars = figure.axes[:5], figure.axes[10:]
    assert (first.get_xlabel(), first.get_ylabel()) == ("cat (75%)", "c5_lambda\nquery 1,2 of 4×5")
    assert cam.get_xlabel() == "for cat"
    assert figure.axes[9].get_xlabel() == "for dog"
    assert [axes.get_title() for axes in figure.axes[:5]] == list(plots.COLUMNS)
    assert figure.axes[5].get_title() == ""
    assert len(bars) == 8


def test_a_grid_shows_the_means_over_heads():
    found = explanation().interaction_map
    figure = plots.grid([explanation()])
    for axes, expected in zip(figure.axes[1:4], (found.content, found.position, found.total), strict=True):
        np.testing.assert_array_equal(axes.images[1].get_array(), expected.mean(axis=(0, -1)))
    assert np.isfinite(picture(figure)).all(), "a part that is zero everywhere, too, is drawn"
