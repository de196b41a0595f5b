"""A folder of versions as a server offers it."""
