"""From the bytes of an image file to pixels of the size that a model takes."""
