"""SavedModel for TensorFlow Serving."""
