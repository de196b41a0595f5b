"""From a part to batches: read, decode, jitter, flip, batch.

A batch is a dictionary of tensors whose shapes are known. For training:

* `image`: uint8 `[batch_size, image_size, image_size, 3]`, padded with black at the bottom and on the right,
* `boxes`: float32 `[batch_size, max_objects, 4]`: ymin, xmin, ymax and xmax in pixels of `image`, cut at its edges,
* `classes`: int32 `[batch_size, max_objects]`, from 1; 0 is the background,
* `masks`: uint8 `[batch_size, max_objects, 112, 112]`, 0 or 1: each cut out along its frame,
* `mask_frames`: float32 `[batch_size, max_objects, 4]`: the boxes as they would be without the edges of `image`,
* `position`: int64 `[batch_size]`, the place of the picture in the whole stream, from 0,
* `valid`: bool `[batch_size]`, false where a picture could not be read; it is black and has no objects then.

Rows of boxes, frames and classes without an object are -1. Where the part has no masks, neither has the batch.

For evaluation, where the longer side of the picture is as long as the image:

* `image` and `valid` as above; rows that fill up the last batch are not valid,
* `scale`: float32 `[batch_size]`, pixels of `image` per pixel of the picture,
* `source_size`: int32 `[batch_size, 2]`, height and width of the picture,
* `image_id`: int64 `[batch_size]`, the number of the picture.

Boxes refer to pixels as a file stores them, whatever its EXIF data say of turning: so do COCO's, and so decodes
tf-models-official. Only where height and width of the annotations fit the upright picture and not the stored one were
they made of the upright one, and it is turned. A file of yet another size than its annotations is not valid.
"""

import tensorflow as tf

from lambda_keras.zoo.data.images.decoding import decode_and_resize
from lambda_keras.zoo.data.images.requirement import require
from lambda_keras.zoo.data.images.resizing import padded
from lambda_keras.zoo.data.images.valid_images import read_stream
from lambda_keras.zoo.data.input_pipeline import full_batches
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.detection.data import jitter, masks
from lambda_keras.zoo.detection.data.parts import Part

CHANNELS = 3
# The defaults of tf-models-official and of the paper.
MAX_OBJECTS = 100
SCALES = (0.1, 2.0)
_NO_OBJECT = -1


# Here and below nothing is to be rewritten, and the search for what is would take seconds.
@tf.autograph.experimental.do_not_convert
def training_batches(
    part: Part,
    *,
    image_size: int,
    batch_size: int,
    seed: int,
    with_masks: bool = False,
    max_objects: int = MAX_OBJECTS,
    scales: tuple[float, float] = SCALES,
    horizontal_flip: bool = True,
    most_pixels: int = MOST_PIXELS,
    start: int = 0,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Endless shuffled, jittered, full batches.

    Every random choice is a function of `seed` and the picture's position in the stream. So a stream taken up at any
    `start`, and the shards of a stream taken together, give what the whole stream gives. Crowds are left out, and
    objects that the crop does not show. Pictures without objects stay.

    Args:
        part: A `lambda_keras.zoo.detection.data.parts.Part`.
        image_size: Side of the images in pixels.
        batch_size: Pictures in a batch of this shard.
        seed: Integer for order, jitter and flip.
        with_masks: Whether batches have masks.
        max_objects: Objects of a picture; of more, the first are taken.
        scales: The smallest and the largest scale of the jitter; at 1 the longer side is `image_size`.
        horizontal_flip: Whether half of the pictures are mirrored.
        most_pixels: How many pixels the header of a file may say.
        start: Pictures of the whole stream, all shards together, to pass over.
        shard: Which of the shards, from 0.
        num_shards: Number of shards that share the stream.

    Returns:
        A `tf.data.Dataset` of dictionaries, see the module.

    Raises:
        ValueError: Masks are asked for and the part has none.
    """
    if with_masks and not part.has_masks:
        raise ValueError("with_masks needs a part that has masks")

    def place(position, encoded, annotations):
        jitter_seed, flip_seed = tf.unstack(tf.random.split(tf.stack([seed, position]), 2))
        placement = jitter.draw(annotations.size, image_size, scales, jitter_seed)
        is_flipped = horizontal_flip & (tf.random.stateless_uniform([], flip_seed) < 0.5)
        objects = _objects(annotations, placement, is_flipped, max_objects, with_masks)
        return (encoded, annotations.size, placement), (objects, placement.content[1], is_flipped, position)

    def read(encoded, size, placement):
        return _decode(encoded, size, lambda shape: jitter.resizing(placement, image_size), most_pixels)

    def finish(inputs, label, valid):
        image, (objects, columns, is_flipped, position) = inputs[0], label
        image = tf.cond(is_flipped, lambda: jitter.flip_image(image, columns), lambda: image)
        seen = {key: _only_if(valid, key, rows) for key, rows in objects.items()}
        return {"image": image, **seen, "position": position, "valid": valid}

    stream = part.split.shuffled(seed, start, shard, num_shards).map(place, tf.data.AUTOTUNE)
    stream = read_stream(stream, read, (image_size, image_size, CHANNELS)).map(finish, tf.data.AUTOTUNE)
    return stream.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


@tf.autograph.experimental.do_not_convert
def evaluation_batches(
    part: Part,
    *,
    image_size: int,
    batch_size: int,
    num_batches: int | None = None,
    most_pixels: int = MOST_PIXELS,
    shard: int = 0,
    num_shards: int = 1,
) -> tf.data.Dataset:
    """Every picture once, in order, never jittered.

    Args:
        part: A `lambda_keras.zoo.detection.data.parts.Part`.
        image_size: Side of the images in pixels.
        batch_size: Pictures in a batch of this shard.
        num_batches: How many batches to give, at least as many as the pictures need; by default as many. Workers that
            must take equally many steps give the same number here.
        most_pixels: How many pixels the header of a file may say.
        shard: Which of the shards, from 0.
        num_shards: Number of shards that share the pictures.

    Returns:
        A finite `tf.data.Dataset` of dictionaries, see the module. The rows that fill up have zeros everywhere.

    Raises:
        ValueError: `num_batches` is less than the pictures need.
    """

    def with_size(encoded, annotations):
        return (encoded, annotations.size), annotations.image_id

    def read(encoded, size):
        return _decode(encoded, size, lambda shape: padded(shape, image_size, "bilinear"), most_pixels)

    def finish(inputs, image_id, valid):
        image, size = inputs
        scale = padded(size, image_size, "bilinear").scale[0]
        return {"image": image, "valid": valid, "scale": scale, "source_size": size, "image_id": image_id}

    stream = part.split.ordered(shard, num_shards).map(with_size)
    stream = read_stream(stream, read, (image_size, image_size, CHANNELS)).map(finish)
    count = len(range(shard, part.split.count, num_shards))
    stream, num_batches = full_batches(stream, count, batch_size, num_batches)
    return stream.prefetch(tf.data.AUTOTUNE).apply(tf.data.experimental.assert_cardinality(num_batches))


def _decode(encoded, size, plan, most_pixels):
    """Decodes a file whose boxes refer to a picture of some height and width, and resizes it."""

    def orient(header):
        stored = tf.cast(tf.stack([header.height, header.width]), tf.int32)
        is_stored = tf.reduce_all(stored == size)
        is_upright = (header.orientation >= 5) & tf.reduce_all(stored[::-1] == size)
        with tf.control_dependencies([require((is_stored | is_upright, "of another size than its annotations"))]):
            return tf.where(is_stored, 1, header.orientation)

    return decode_and_resize(encoded, CHANNELS, most_pixels, plan, orient=orient)


def _objects(annotations, placement, is_flipped, max_objects, with_masks):
    """The objects of a picture that are seen, as in a batch."""
    boxes, frames = jitter.place_boxes(annotations.coco_boxes, placement)
    is_seen = tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=-1) & ~annotations.is_crowd
    taken = tf.where(is_seen)[:max_objects, 0]

    def flipped(rows, function):
        rows = tf.gather(rows, taken)
        return tf.cond(is_flipped, lambda: function(rows), lambda: rows)

    def flip(rows):
        return jitter.flip_boxes(rows, placement.content[1])

    objects = {"boxes": flipped(boxes, flip), "classes": tf.gather(annotations.classes, taken)}
    if with_masks:
        unpacked = masks.unpack(tf.gather(annotations.crops, taken))
        objects["masks"] = tf.cond(is_flipped, lambda: jitter.flip_masks(unpacked), lambda: unpacked)
        objects["mask_frames"] = flipped(frames, flip)
    return {key: _filled_up(rows, max_objects, _filling(key)) for key, rows in objects.items()}


def _filled_up(rows, count, value):
    missing = count - tf.shape(rows)[0]
    filled = tf.pad(rows, [[0, missing], *[[0, 0]] * (rows.shape.rank - 1)], constant_values=value)
    return tf.ensure_shape(filled, [count, *rows.shape[1:]])


def _only_if(valid, key, rows):
    return tf.where(valid, rows, tf.cast(_filling(key), rows.dtype))


def _filling(key):
    return 0 if key == "masks" else _NO_OBJECT
