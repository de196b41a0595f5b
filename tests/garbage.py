"""How seldom the processes of the tests collect garbage."""

import gc


def collect_seldom():
    """Leaves out of all collections what is there, such as all that imports have made, and has fewer of them.

    To look through it at each collection takes a third of a second, and in a forked process copies its memory. The
    graphs that TensorFlow traces make garbage of hundreds of thousands of objects: collected after 700 new ones, it
    takes a sixth of the time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
