"""From a split to batches: resize, augment, batch, normalise.

Images stay uint8 until they are in a batch, which moves a quarter of the bytes.
"""

import tensorflow as tf

import lambda_keras as lk

# Holds the whole training part of a small dataset, so that the order is a true permutation.
SHUFFLE_BUFFER = 65_536


def training_batches(split, dataset, *, image_size, batch_size, crop_padding, horizontal_flip, seed):
    """Endless shuffled, augmented, full batches.

    It repeats without end because Keras counts steps wrongly on a dataset whose length it does not know: train with
    `steps_per_epoch`. Every random choice is a function of `seed` and the position in the stream.

    Args:
        split: `tf.data.Dataset` of uint8 images `[height, width, channels]` and integer labels.
        dataset: The row of `zoo.data.catalog` for mean, standard deviation and classes.
        image_size: Side of the images in pixels.
        batch_size: Images in a batch.
        crop_padding: Pixels of black to pad on every side before cropping at random; 0 for no crop.
        horizontal_flip: Whether to mirror half of the images.
        seed: Integer for order and augmentation.

    Returns:
        `tf.data.Dataset` of float32 images `[batch_size, image_size, image_size, channels]`, normalised, and one-hot
        float32 labels `[batch_size, classes]`.
    """

    def augment(position, example):
        image, label = example
        crop_seed, flip_seed = tf.unstack(tf.random.split([seed, position], 2))
        if crop_padding:
            padding = [[crop_padding, crop_padding], [crop_padding, crop_padding], [0, 0]]
            image = tf.image.stateless_random_crop(tf.pad(image, padding), image.shape, crop_seed)
        if horizontal_flip:
            image = tf.image.stateless_random_flip_left_right(image, flip_seed)
        return image, label

    stream = split.shuffle(SHUFFLE_BUFFER, seed=seed).repeat()
    stream = stream.map(_resize_to(image_size), tf.data.AUTOTUNE).enumerate().map(augment, tf.data.AUTOTUNE)
    return _normalised(stream.batch(batch_size, drop_remainder=True), dataset)


def evaluation_batches(split, dataset, *, image_size, batch_size):
    """Every image once, in order, not augmented; the last batch may be smaller.

    Args:
        split: `tf.data.Dataset` of uint8 images `[height, width, channels]` and integer labels.
        dataset: The row of `zoo.data.catalog` for mean, standard deviation and classes.
        image_size: Side of the images in pixels.
        batch_size: Images in a batch.

    Returns:
        `tf.data.Dataset` as of `training_batches`, of known cardinality.
    """
    return _normalised(split.map(_resize_to(image_size), tf.data.AUTOTUNE).batch(batch_size), dataset)


def arrays(split, image_size):
    """Returns a split as uint8 images `[n, image_size, image_size, channels]` and int64 labels `[n]` (NumPy)."""
    batch = split.map(_resize_to(image_size), tf.data.AUTOTUNE).batch(int(split.cardinality())).get_single_element()
    images, labels = batch
    return images.numpy(), labels.numpy()


def _resize_to(image_size):
    def resize(image, label):
        if image.shape[:2] != (image_size, image_size):
            # Bicubic overshoots at edges, hence the clip that saturate_cast does.
            image = tf.round(tf.image.resize(image, [image_size, image_size], "bicubic", antialias=True))
            image = tf.saturate_cast(image, tf.uint8)
        return image, label

    return resize


def _normalised(batches, dataset):
    def normalise(images, labels):
        images = lk.preprocess_input(images, mean=dataset.mean, std=dataset.std)
        return images, tf.one_hot(labels, len(dataset.class_names))

    return batches.map(normalise, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
