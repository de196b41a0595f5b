"""How TensorFlow compiles what the tests run."""

import os


def compile_at_once():
    """Leaves out the passes that make a graph fast, which take longer than the tests compute.

    What they change is rounding. Processes that are started cold, such as the kernels of notebooks and those of
    `verify`, run all passes.
    """
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
