"""How large an image and a batch may be, for all commands."""

# Pixels of an image file: at more, Pillow sees an attack. It is 537 MB decoded.
MOST_PIXELS = 178_956_970
# Of a file that a client sends to a model server; 150 MB decoded.
MOST_SERVED_PIXELS = 50_000_000
# Images; a batch of a million is a mistake that no memory holds.
LARGEST_BATCH = 65_536
# Of record files: as many are open at the same time.
MOST_STREAMS = 4_096
