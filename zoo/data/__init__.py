"""Datasets by name, and the input pipeline."""
