"""The grid of maps, batches and scopes on which layers are timed."""

# Sides of the map, channels as in the stages c5 to c2 at some size of image, and batches.
GRIDS = (
    ((7, 7), 512, (1, 8, 32)),
    ((10, 10), 512, (1, 8)),
    ((14, 14), 256, (1, 8, 32)),
    ((19, 19), 256, (1, 8)),
    ((28, 28), 128, (1, 8)),
    ((32, 32), 128, (1, 8)),
    ((64, 64), 64, (1,)),
    ((64, 48), 64, (1,)),
)
# Those of the short form, in a ResNet at 224 pixels.
SHORT_SIDES = (7, 14, 28)
SCOPES = (7, 23, None)
# Positions past which embeddings of all pairs, which the peers keep as a weight, take gigabytes.
LARGEST_GLOBAL = 28 * 28


def cells(full, largest_global=LARGEST_GLOBAL):
    """`(grid, channels, batch, scope)` of each cell: of all maps and batches, or in the short form of some."""
    for (height, width), channels, batches in GRIDS:
        if not full and height not in SHORT_SIDES:
            continue
        for batch in batches if full else batches[:2]:
            for scope in SCOPES:
                if scope is not None or height * width <= largest_global:
                    yield (height, width), channels, batch, scope


def rows_of_cell(grid, channels, batch, scope, training, seconds, ours):
    """Rows of a CSV file, which are printed too: one for each implementation of `seconds`, compared with `ours`."""
    rows = [
        {
            "grid": "×".join(map(str, grid)),
            "channels": channels,
            "batch": batch,
            "scope_size": scope or "global",
            "mode": "training" if training else "inference",
            "implementation": name,
            "seconds": f"{value:.6f}",
            "ratio_to_ours": f"{value / seconds[ours]:.2f}",
        }
        for name, value in seconds.items()
    ]
    for row in rows:
        print(*row.values(), sep="\t", flush=True)
    return rows
