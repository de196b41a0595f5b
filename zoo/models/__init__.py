"""Models with the records that say how they want their images: all of `zoo` that `export` may import, beside `data`."""
