"""What a worker of a training reads: files opened in a pass over record files, and images a second, by the workers.

    python -m benchmarks.input_streams

The record files hold crops of the two photographs of scikit-learn as JPEGs of 256 pixels. A worker's share of the
shuffled order is read, decoded, cropped and mirrored as in a training, in a process that is alone on the machine.
"""

import io
import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks.opened_files import opened_files
from benchmarks.timing import write_csv
from lambda_keras.applications.imagenet import IMAGENET_MEAN, IMAGENET_STD
from lambda_keras.zoo.data.input_pipeline import training_batches
from lambda_keras.zoo.data.splits import Dataset, RecordSplit
from lambda_keras.zoo.recipe import Data

FILES, RECORDS, STREAMS = 128, 64, 16
WORKERS = (1, 2, 4, 8)
BATCH_SIZE, BATCHES = 32, 40
# Of a pass: what is read ahead must not be of the next one.
SHARE = 0.75


def main():
    """Measures for each number of workers and writes results/input_streams.csv."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_files(pathlib.Path(folder))
        rows = []
        for workers in WORKERS:
            share = dataset.train.shuffled(seed=0, num_shards=workers)
            images = int(SHARE * dataset.train.count / workers)
            opened = opened_files(folder, lambda share=share, images=images: count(share.take(images)))
            rows.append(
                {
                    "workers": workers,
                    "files": FILES,
                    "files_opened_by_a_worker": len(set(opened)),
                    "images_read_by_a_worker": images,
                    "images_per_second_of_a_worker": f"{images_per_second(dataset, workers):.4g}",
                }
            )
            print(rows[-1], flush=True)
    write_csv("input_streams", rows)


def write_files(folder):
    """Writes the record files and returns their dataset."""
    photographs = load_sample_images().images
    random = np.random.default_rng(0)
    files = []
    for number in range(FILES):
        path = str(folder / f"{number:03}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for _ in range(RECORDS):
                photograph = photographs[random.integers(len(photographs))]
                y, x = random.integers(0, np.array(photograph.shape[:2]) - 256)
                content = io.BytesIO()
                Image.fromarray(photograph[y : y + 256, x : x + 256]).save(content, "JPEG", quality=90)
                writer.write(content.getvalue())
        files.append((path, 0, RECORDS))
    split = RecordSplit(files, lambda record: (record, tf.constant(0, tf.int64)), STREAMS)
    return Dataset("photographs", ("photograph",), 3, IMAGENET_MEAN, IMAGENET_STD, split, split, split)


def count(dataset):
    """Reads a dataset to its end and returns how many elements it has."""
    return int(dataset.reduce(np.int64(0), lambda number, _: number + 1))


def images_per_second(dataset, workers):
    """Images that worker 0 prepares in a second, once its first block is there."""
    data = Data(name=dataset.name, image_size=224, crop="inception", horizontal_flip=True)
    batches = iter(
        training_batches(dataset.train, dataset, data, batch_size=BATCH_SIZE, seed=0, shard=0, num_shards=workers)
    )
    next(batches)
    start = time.perf_counter()
    for _ in range(BATCHES):
        next(batches)
    return BATCHES * BATCH_SIZE / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
