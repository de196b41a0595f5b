"""Detectors as artifacts: objects in pictures of any size, without Keras."""
