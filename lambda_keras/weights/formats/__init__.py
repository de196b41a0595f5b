"""Weight files of every format, read as data."""
