"""Folders as `lambda-zoo pseudo-label select` writes them, of scikit-learn's digits."""

import json

import tensorflow as tf

from lambda_keras.zoo.data.sources import digits
from lambda_keras.zoo.data.sources.pseudo_labels import INDEX

CLASSES = [str(label) for label in range(10)]
REST = 0.1


def write(folder, count=60, num_shards=3, classes=CLASSES):
    """Writes digits, whose own class has 0.6 and the next one 0.3, and returns the folder and their labels."""
    images, labels = (column[-count:] for column in digits.load_arrays())
    folder.mkdir(parents=True, exist_ok=True)
    shards = {}
    for shard in range(num_shards):
        name = f"selected-{shard:05}-of-{num_shards:05}.tfrecord"
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for number in range(shard, count, num_shards):
                writer.write(_example(images[number], int(labels[number]), number))
        shards[name] = len(range(shard, count, num_shards))
    index = {
        "format": 1,
        "classes": classes,
        "teacher": {"name": "a teacher", "sha256": "0" * 64},
        "selection": {"threshold": 0.3},
        "shards": shards,
    }
    (folder / INDEX).write_text(json.dumps(index))
    return folder, labels


def _example(image, label, number):
    texts = {"image": tf.io.encode_png(image).numpy(), "id": b"%d" % number, "source": b"digits"}
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text])) for name, text in texts.items()}
    features["classes"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label, (label + 1) % 10]))
    for name, values in {"probabilities": [0.6, 0.3], "rest": [REST]}.items():
        features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
