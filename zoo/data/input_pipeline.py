"""From a split to batches: read, decode, vary, batch.

Images stay uint8 up to the device, which moves a quarter of the bytes. A batch is a dictionary:

* `image`: uint8 `[batch_size, image_size, image_size, channels]`,
* `target`: float32 `[batch_size, classes]`, the share of each class in the image: 1 for its label, 0 for others, or
  what a label says that has several,
* `valid`: bool `[batch_size]`, false where an image could not be read, or where a row fills up the last batch.
"""

import numpy as np
import tensorflow as tf

from lambda_keras.zoo.data.augmentation import variation
from lambda_keras.zoo.data.images import preprocessing
from lambda_keras.zoo.data.images.valid_images import read_stream
from lambda_keras.zoo.data.splits import Dataset, Split
from lambda_keras.zoo.recipe import Data


# Here and below nothing is to be rewritten, and the search for what is would take two seconds.
@tf.autograph.experimental.do_not_convert
def training_batches(
    split: Split,
    dataset: Dataset,
    data: Data,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Endless shuffled, augmented, full batches.

    Every random choice is a function of `seed` and the image's position in the stream. So a stream taken up at any
    `start`, and the shards of a stream taken together, give what the whole stream gives. An image that cannot be
    read keeps its position: its row is a copy of a valid row of the batch and `valid` says so. A batch in which no
    image can be read is black.

    Args:
        split: A `lambda_keras.zoo.data.splits.Split`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` it belongs to.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.
        batch_size: Images in a batch of this shard.
        seed: Integer for order and augmentation.
        start: Images of the whole stream, all shards together, to pass over.
        shard: Which of the shards, from 0.
        num_shards: Number of shards that share the stream.

    Returns:
        A `tf.data.Dataset` of dictionaries, see the module.
    """

    def with_seeds(position, image, label):
        return (image, variation.seeds(seed, position)), label

    def read(image, seeds):
        return variation.read(image, seeds, dataset.channels, data)

    def vary(inputs, label, valid):
        image, seeds = inputs
        return variation.vary(image, seeds, dataset, data), label, valid

    stream = split.shuffled(seed, start, shard, num_shards).map(with_seeds, tf.data.AUTOTUNE)
    stream = read_stream(stream, read, _shape(dataset, data)).map(vary, tf.data.AUTOTUNE)
    stream = stream.batch(batch_size, drop_remainder=True).map(_replace_invalid, tf.data.AUTOTUNE)
    return stream.map(_as_dictionary(dataset)).prefetch(tf.data.AUTOTUNE)


@tf.autograph.experimental.do_not_convert
def evaluation_batches(
    split: Split,
    dataset: Dataset,
    data: Data,
    *,
    batch_size: int,
    num_batches: int | None = None,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Every image once, in order, never augmented.

    Args:
        split: A `lambda_keras.zoo.data.splits.Split`.
        dataset: The `lambda_keras.zoo.data.splits.Dataset` it belongs to.
        data: The recipe's `lambda_keras.zoo.recipe.Data`.
        batch_size: Images in a batch of this shard.
        num_batches: How many batches to give, at least as many as the images need; by default as many. Workers that
            must take equally many steps give the same number here.
        shard: Which of the shards, from 0.
        num_shards: Number of shards that share the images.

    Returns:
        A finite `tf.data.Dataset` of dictionaries, see the module. The rows that fill up are black with label 0.

    Raises:
        ValueError: `num_batches` is less than the images need.
    """

    def read(image):
        return preprocessing.prepare(image, dataset.channels, data, data.most_pixels)

    stream = split.ordered(shard, num_shards).map(lambda image, label: ((image,), label))
    stream = read_stream(stream, read, _shape(dataset, data))
    stream = stream.map(lambda inputs, label, valid: (inputs[0], label, valid))
    count = len(range(shard, split.count, num_shards))
    stream, num_batches = full_batches(stream, count, batch_size, num_batches)
    stream = stream.map(_as_dictionary(dataset)).prefetch(tf.data.AUTOTUNE)
    return stream.apply(tf.data.experimental.assert_cardinality(num_batches))


def full_batches(
    stream: tf.data.Dataset, count: int, batch_size: int, num_batches: int | None = None
) -> tuple[tf.data.Dataset, int]:
    """Batches a finite stream and fills the last batches up with rows of zeros.

    Args:
        stream: A `tf.data.Dataset` whose elements have shapes that are known.
        count: How many elements it has.
        batch_size: Rows of a batch.
        num_batches: How many batches to give, at least as many as the elements need; by default as many.

    Returns:
        The batches and their number.

    Raises:
        ValueError: `num_batches` is less than the elements need.
    """
    needed = -(-count // batch_size)
    num_batches = needed if num_batches is None else num_batches
    if num_batches < needed:
        raise ValueError(f"{count} images need {needed} batches of {batch_size}, got num_batches={num_batches}")
    zeros = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), stream.element_spec)
    fill = tf.data.Dataset.from_tensors(zeros).repeat(num_batches * batch_size - count)
    return stream.concatenate(fill).batch(batch_size, drop_remainder=True), num_batches


def labels(target: tf.Tensor | np.ndarray) -> tf.Tensor:
    """The label of each image of a batch: the class that has the largest share in it.

    Args:
        target: `[batch_size, classes]`.

    Returns:
        int32 `[batch_size]`.

    Example:
        >>> labels(np.float32([[0, 1, 0], [1, 0, 0]])).numpy()
        array([1, 0], dtype=int32)
    """
    return tf.argmax(target, -1, tf.int32)


def _replace_invalid(images, labels, valid):
    """Puts a copy of the first valid row into rows that are not valid."""
    first = tf.argmax(valid)
    row = tf.where(valid, tf.range(tf.size(valid), dtype=tf.int64), first)
    images = tf.gather(images, row) * tf.cast(tf.reduce_any(valid), images.dtype)
    return images, tf.gather(labels, row), valid


def _shape(dataset, data):
    return data.image_size, data.image_size, dataset.channels


def _as_dictionary(dataset):
    classes = len(dataset.class_names)

    def as_dictionary(image, label, valid):
        target = label if label.dtype == tf.float32 else tf.one_hot(label, classes)
        return {"image": image, "target": target, "valid": valid}

    return as_dictionary
