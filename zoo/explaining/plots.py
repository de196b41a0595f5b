"""Pictures of what a model looked at: signed weights of lambda layers and Grad-CAM over the image."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from lambda_keras.zoo import fonts
from lambda_keras.zoo.explaining.rows import Explanation
from lambda_keras.zoo.plots import TEXT_COLOUR, short

SIGNED_COLOURS = "RdBu_r"
POSITIVE_COLOURS = "Oranges"
QUERY_COLOUR = "#ffdd00"
COLUMNS = ("image and query", "content", "position", "content + position", "Grad-CAM")
# So much of the range of grey is left to the image below a map, the light end, where all colours show.
DARKEST_GREY = 0.6
# Of letters in points: a report shows the picture at two thirds of its size.
TITLE_SIZE, LABEL_SIZE, NUMBER_SIZE = 13, 12, 10


def overlay(
    axes: Axes,
    image: np.ndarray,
    weights: np.ndarray,
    query: tuple[int, int] | None = None,
    colours: str = SIGNED_COLOURS,
) -> AxesImage:
    """Draws a map of weights over an image in grey: the larger a weight, the less is seen of the image below.

    Args:
        axes: Where to draw, of matplotlib.
        image: uint8 `[height, width, channels]`, with 1 or 3 channels.
        weights: `[map height, map width]`, such as `interaction_map.total.mean(axis=(0, -1))`.
        query: `(y, x)` in the map, to be marked, or `None`.
        colours: Name of a diverging colour map of matplotlib for weights with a sign, where its middle is zero; or
            `"Oranges"`, `POSITIVE_COLOURS`, for weights that have none.

    Returns:
        What `figure.colorbar` takes.

    Example:
        >>> overlay(Figure().subplots(), image, found.content.mean(axis=(0, -1)), found.query)
    """
    height, width = image.shape[:2]
    grey = DARKEST_GREY + (1 - DARKEST_GREY) * image.mean(axis=-1) / 255
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
    # Weights that are all zero, those of a part that the layer has not, leave the image as it is.
    largest = np.abs(weights).max() or 1
    drawn = axes.imshow(
        weights,
        cmap=matplotlib.colormaps[colours],
        norm=Normalize(-largest if colours == SIGNED_COLOURS else 0, largest),
        alpha=np.sqrt(np.abs(weights) / largest),
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="nearest",
    )
    if query is not None:
        mark_query(axes, image, weights.shape, query)
    return drawn


def mark_query(axes: Axes, image: np.ndarray, map_size: tuple[int, ...], query: tuple[int, int]) -> None:
    """Marks where in an image a query of a map stands.

    Args:
        axes: Where the image is drawn.
        image: The image, for its size.
        map_size: `(height, width)` of the map.
        query: `(y, x)` in the map.
    """
    sides = zip(query, image.shape[:2], map_size, strict=True)
    y, x = ((position + 0.5) * pixels / side - 0.5 for position, pixels, side in sides)
    axes.plot(x, y, "o", markersize=7, color=QUERY_COLOUR, markeredgecolor="black", markeredgewidth=1.2)


def grid(explanations: Sequence[Explanation]) -> Figure:
    """Draws a row for each query: image, content, position, both and Grad-CAM.

    The maps are means over the heads and the intra-depth. Each has a scale of its own beside it.

    Args:
        explanations: `lambda_keras.zoo.explaining.explanation.Explanation`s, of one image or of several.

    Returns:
        A `matplotlib.figure.Figure`; `figure.savefig(path)` writes it.
    """
    fonts.add_for(name for row in explanations for name in (row.predicted, row.explained))
    rows = len(explanations)
    figure = Figure(figsize=(2.75 * len(COLUMNS), 2.45 * rows + 0.4), dpi=120, layout="constrained")
    for cells, explanation in zip(figure.subplots(rows, len(COLUMNS), squeeze=False), explanations, strict=True):
        _draw_row(figure, cells, explanation)
        if cells[0].get_subplotspec().is_first_row():
            for axes, title in zip(cells, COLUMNS, strict=True):
                axes.set_title(title, fontsize=TITLE_SIZE, color=TEXT_COLOUR)
    return figure


def _draw_row(figure, cells, explanation):
    image, found = explanation.image, explanation.interaction_map
    size = found.content.shape[1:-1]
    for axes in cells:
        axes.set_xticks([])
        axes.set_yticks([])
    first, *maps, last = cells
    if image.shape[-1] == 1:
        first.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        first.imshow(image)
    mark_query(first, image, size, found.query)
    # No name of a class is a formula, whatever dollars are in it.
    label = {"fontsize": LABEL_SIZE, "color": TEXT_COLOUR, "parse_math": False}
    first.set_xlabel(f"{short(explanation.predicted)} ({explanation.probability:.0%})", **label)
    y, x = found.query
    first.set_ylabel(f"{found.layer}\nquery {y},{x} of {size[0]}×{size[1]}", fontsize=LABEL_SIZE, color=TEXT_COLOUR)
    for axes, weights in zip(maps, (found.content, found.position, found.total), strict=True):
        _draw_map(figure, axes, image, weights.mean(axis=(0, -1)), found.query, SIGNED_COLOURS)
    _draw_map(figure, last, image, explanation.grad_cam, None, POSITIVE_COLOURS)
    last.set_xlabel(f"for {short(explanation.explained)}", **label)


def _draw_map(figure, axes, image, weights, query, colours):
    drawn = overlay(axes, image, weights, query, colours)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.03)
    # The bar shows the colours of the map without the image that shines through.
    bar.solids.set_alpha(1)
    bar.ax.tick_params(labelsize=NUMBER_SIZE)
    bar.locator = MaxNLocator(5, symmetric=True)
    bar.outline.set_visible(False)
