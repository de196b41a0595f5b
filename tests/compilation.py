"""How TensorFlow compiles what the tests run."""

import functools
import os


def compile_at_once():
    """Leaves out the passes that make a graph fast, which take longer than the tests compute, and operations' stacks.

    What the passes change is rounding. The stacks, a tenth of the time that it takes to trace a graph, are for messages
    about an operation's place in the source. Processes that are started cold, such as the kernels of notebooks and
    those of `verify`, leave out neither.
    """
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        import tensorflow as tf
        from tensorflow.python.framework import ops

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        ops._create_c_op = functools.partial(ops._create_c_op, extract_traceback=False)
