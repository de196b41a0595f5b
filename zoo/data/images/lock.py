"""A lock that the graphs of a process share: those of tf.data and of a model server, where there is no Python."""

from collections.abc import Callable

import tensorflow as tf

# By this name all graphs find the same one.
_NAME = "lambda_keras_large_image"


def lock_if(condition: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Operation]]:
    """Takes the lock where a condition holds, and waits until it is free.

    Args:
        condition: A scalar bool.

    Returns:
        A tensor on which what runs under the lock has to depend, and a function of its result to an operation that
        gives the lock back. It is given back after an error too, because TensorFlow then drops the tensor.
    """
    mutex = tf.raw_ops.MutexV2(shared_name=_NAME)

    def nothing():
        # Of the same type as a lock.
        return tf.raw_ops.EmptyTensorList(
            element_shape=tf.zeros([0], tf.int32), max_num_elements=0, element_dtype=tf.uint8
        )

    lock = tf.cond(condition, lambda: tf.raw_ops.MutexLock(mutex=mutex), nothing)

    def unlock(result):
        def consume():
            with tf.control_dependencies([result]):
                return tf.group(tf.raw_ops.ConsumeMutexLock(mutex_lock=lock))

        return tf.cond(condition, consume, tf.no_op)

    return lock, unlock
