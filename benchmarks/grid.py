"""The grid of maps, batches and scopes on which layers are timed."""

# Sides of the map, and channels as in the stages c5 to c2 at some size of image.
GRIDS = (
    ((7, 7), 512),
    ((10, 10), 512),
    ((14, 14), 256),
    ((19, 19), 256),
    ((28, 28), 128),
    ((32, 32), 128),
    ((64, 64), 64),
    ((64, 48), 64),
)
BATCHES = (1, 8, 32)
# Those of the short form, in a ResNet at 224 pixels.
SHORT_SIDES = (7, 14, 28)
SHORT_BATCHES = (1, 8)
SCOPES = (7, 23, None)
# Positions past which embeddings of all pairs take more than a gigabyte for each of some layers.
LARGEST_GLOBAL = 32 * 32


def cells(full, largest_global=LARGEST_GLOBAL):
    """`(grid, channels, batch, scope)` of each cell: of all maps and batches, or in the short form of some."""
    for (height, width), channels in GRIDS:
        if not full and height not in SHORT_SIDES:
            continue
        for batch in BATCHES if full else SHORT_BATCHES:
            for scope in SCOPES:
                if scope is not None or height * width <= largest_global:
                    yield (height, width), channels, batch, scope


def rows_of_cell(grid, channels, batch, scope, training, column, values, ours):
    """Rows of a CSV file, which are printed too: the value of each implementation, as text in `column`, beside ours.

    Args:
        grid: As all before `column`, of a cell.
        channels: Of the map.
        batch: Images at once.
        scope: The scope size; `None` for a global one.
        training: Whether gradients are taken.
        column: The name of the column, and how a value is written there, such as `("seconds", "{:.6f}")`.
        values: Numbers by implementation.
        ours: The implementation that the others are compared with.
    """
    name_of_column, form = column
    rows = [
        {
            "grid": "×".join(map(str, grid)),
            "channels": channels,
            "batch": batch,
            "scope_size": scope or "global",
            "mode": "training" if training else "inference",
            "implementation": name,
            name_of_column: form.format(value),
            "ratio_to_ours": f"{value / values[ours]:.2f}",
        }
        for name, value in values.items()
    ]
    for row in rows:
        print(*row.values(), sep="\t", flush=True)
    return rows
