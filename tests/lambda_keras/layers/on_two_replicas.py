"""Our synchronised BatchNorm and Keras' on two logical devices; test_batch_normalization.py runs it in a process.

`main` prints for each, as JSON, a list of the outputs, gradients and weights that two replicas with unequal images have
after a step, and how often a replica asked for a sum over both.
"""

import json

import keras
import numpy as np
import tensorflow as tf

from lambda_keras.layers import BatchNormalization


def step(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(tf.sin(y))
    return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])


def main():
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    all_reduce, sums = tf.distribute.ReplicaContext.all_reduce, []

    def counted(context, *arguments):
        sums.append(arguments)
        return all_reduce(context, *arguments)

    tf.distribute.ReplicaContext.all_reduce = counted
    images = tf.constant(np.random.default_rng(0).normal(3, 2, (7, 4, 4, 6)), "float32")
    shares = strategy.experimental_distribute_values_from_function(
        lambda context: images[2:] if context.replica_id_in_sync_group else images[:2]
    )
    results = {}
    for name, kind in (("ours", BatchNormalization), ("theirs", keras.layers.BatchNormalization)):
        with strategy.scope():
            layer = kind(synchronized=True, momentum=0.5)
            layer.build(images.shape)
        sums.clear()
        per_replica = strategy.run(step, (layer, shares))
        results[f"{name}, sums"] = len(sums)
        tensors = tf.nest.flatten([strategy.experimental_local_results(value) for value in per_replica])
        results[name] = [tensor.numpy().tolist() for tensor in [*tensors, *layer.weights]]
    print(json.dumps(results))
