"""Pictures of the relative position tables of a model, for TensorBoard."""

import keras
import matplotlib
import numpy as np

import lambda_keras as lk

# Blue for negative, white for zero, red for positive embeddings.
COLOUR_MAP = "RdBu_r"


def position_table_images(model: keras.Model) -> dict[str, np.ndarray]:
    """Draws the position tables R of a model's first, middle and last lambda layer.

    Three, because a deep model has dozens of these layers and TensorBoard keeps every picture of every epoch. Each
    tile of a picture is the table of one key depth, an embedding per pixel, offset 0 in its middle; intra-depths stand
    below each other. Black lines part the tiles. Colours are symmetric about zero; the strongest is the largest
    absolute embedding of the layer.

    Args:
        model: A `keras.Model` for images.

    Returns:
        By the layer's name uint8 `[1, intra_depth * (rows + 1) - 1, key_dim * (columns + 1) - 1, 3]`, as
        `tf.summary.image` takes it; rows and columns are those of the table. Empty if no lambda layer has a table.

    Example:
        >>> images = position_table_images(lk.create_model("lambda_resnet_tiny"))
        >>> {name: image.shape for name, image in images.items()}
        {'c4_block2_lambda': (1, 15, 255, 3), 'c5_block1_lambda': (1, 15, 255, 3)}
    """
    layers = [layer for layer in model.layers if isinstance(layer, lk.layers.LambdaLayer) and layer.use_position]
    chosen = sorted({0, len(layers) // 2, len(layers) - 1}) if layers else []
    return {layers[index].name: _draw(layers[index].position_embedding.table)[None] for index in chosen}


def _draw(table):
    """uint8 [height, width, 3] of a table [rows, columns, key_dim, intra_depth]."""
    table = keras.ops.convert_to_numpy(table).astype("float32")
    limit = np.abs(table).max() or 1
    shares = (table / limit + 1) / 2
    colours = matplotlib.colormaps[COLOUR_MAP](shares, bytes=True)[..., :3]
    # A black line right of and below each tile, of which the outermost are cut off.
    tiles = np.pad(colours, [(0, 1), (0, 1), (0, 0), (0, 0), (0, 0)])
    rows, columns, key_dim, intra_depth, _ = tiles.shape
    grid = tiles.transpose(3, 0, 2, 1, 4).reshape(intra_depth * rows, key_dim * columns, 3)
    return grid[:-1, :-1]
