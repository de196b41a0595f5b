"""Pictures of one grey with red rectangles and green triangles, so that each object is found again in a batch."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.framework import graph_pb2

from lambda_keras.zoo.detection.data import coco_json, input_pipeline

GREY = 90
COLOURS = {1: (200, 0, 0), 2: (0, 200, 0)}
# Of each picture: height, width, and of its objects the class and x, y, width and height.
PICTURES = {
    "wide.png": (40, 60, [(1, (4, 6, 20, 10)), (2, (30, 20, 25, 16))]),
    "tall.jpg": (64, 48, [(2, (8, 8, 32, 32))]),
    "none.png": (48, 48, []),
    "damaged.png": (40, 40, [(1, (0, 0, 20, 20))]),
    "another_size.png": (33, 44, [(1, (0, 0, 20, 20))]),
    # The annotations of both say how they are stored, 60 wide, and upright, 40 wide.
    "stored.jpg": (40, 60, [(1, (10, 12, 20, 24))]),
    "upright.jpg": (60, 40, [(1, (12, 8, 24, 40))]),
}
NAMES = [*PICTURES]
UNREADABLE = {NAMES.index("damaged.png"), NAMES.index("another_size.png")}
STREAM = {"image_size": 32, "max_objects": 4, "with_masks": True, "scales": (0.5, 1.5), "seed": 7}


def paint(height, width, objects):
    pixels = np.full((height, width, 3), GREY, "uint8")
    for label, (x, y, box_width, box_height) in objects:
        rows, columns = np.mgrid[:box_height, :box_width] + 0.5
        # A triangle has its right angle at the bottom left.
        is_object = (label == 1) | (columns / box_width < rows / box_height)
        pixels[y : y + box_height, x : x + box_width][is_object] = COLOURS[label]
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    images, annotations = [], []
    for image_id, (name, (height, width, objects)) in enumerate(PICTURES.items()):
        options = {"quality": 95, "subsampling": 0} if name.endswith("jpg") else {}
        picture = paint(height, width, objects)
        if name in ("stored.jpg", "upright.jpg"):
            options["exif"] = Image.Exif()
            options["exif"][0x0112] = 6
        if name == "upright.jpg":
            # Six: to be turned clockwise; stored turned the other way.
            picture = picture.transpose(Image.Transpose.ROTATE_90)
        picture.save(folder / name, **options)
        images.append({"id": image_id, "file_name": name, "height": height, "width": width})
        for label, box in objects:
            x, y, box_width, box_height = box
            corners = [(x, y), (x + box_width, y), (x + box_width, y + box_height), (x, y + box_height)]
            if label == 2:
                del corners[1]
            polygon = [value for corner in corners for value in corner]
            entry = {"image_id": image_id, "category_id": label, "bbox": box, "segmentation": [polygon]}
            annotations.append({**entry, "iscrowd": 0, "area": box_width * box_height})
    Image.new("RGB", (45, 33)).save(folder / "another_size.png")
    damaged = (folder / "damaged.png").read_bytes()
    (folder / "damaged.png").write_bytes(damaged[: len(damaged) // 2])
    Image.open(folder / "none.png").convert("L").save(folder / "none.png")
    mask = {"size": [40, 60], "counts": [0, 2400]}
    crowd = {"image_id": 0, "category_id": 1, "bbox": [0, 0, 60, 40], "iscrowd": 1, "area": 9, "segmentation": mask}
    content = {"images": images, "annotations": [crowd, *annotations]}
    content["categories"] = [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}]
    (folder / "instances.json").write_text(json.dumps(content))
    return coco_json.load(folder / "instances.json", folder, with_masks=True)


def take(batches, count):
    taken = list(batches.take(count).as_numpy_iterator())
    return {key: np.concatenate([batch[key] for batch in taken]) for key in taken[0]}


@pytest.fixture(scope="module")
def batches(part):
    return input_pipeline.training_batches(part, batch_size=6, **STREAM)


@pytest.fixture(scope="module")
def whole(batches):
    """The first 42 rows of the stream, six epochs."""
    return take(batches, 7)


@pytest.fixture(scope="module")
def evaluated(part):
    return take(input_pipeline.evaluation_batches(part, image_size=32, batch_size=5), -1)


def order(part, count):
    return [int(row.image_id) for _, _, row in part.split.shuffled(STREAM["seed"]).take(count).as_numpy_iterator()]


def test_batches_are_endless_and_of_static_shape(batches):
    assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
    assert batches.element_spec == {
        "image": tf.TensorSpec([6, 32, 32, 3], tf.uint8),
        "boxes": tf.TensorSpec([6, 4, 4], tf.float32),
        "classes": tf.TensorSpec([6, 4], tf.int32),
        "masks": tf.TensorSpec([6, 4, 112, 112], tf.uint8),
        "mask_frames": tf.TensorSpec([6, 4, 4], tf.float32),
        "position": tf.TensorSpec([6], tf.int64),
        "valid": tf.TensorSpec([6], tf.bool),
    }


def test_no_draw_has_a_state_and_nothing_is_python(batches):
    graph = graph_pb2.GraphDef.FromString(batches._as_serialized_graph().numpy())
    operations = {node.op for function in graph.library.function for node in function.node_def}
    assert "StatelessRandomUniformV2" in operations
    assert not {name for name in operations if "Random" in name and "Stateless" not in name}
    assert not {name for name in operations if "PyFunc" in name or name in ("Multinomial", "TruncatedNormal")}


def test_a_resumed_and_a_shared_stream_are_the_stream(part, whole):
    batches = input_pipeline.training_batches(part, batch_size=5, start=10, shard=1, num_shards=2, **STREAM)
    for key, rows in take(batches, 3).items():
        np.testing.assert_array_equal(rows, whole[key][11:41:2])


def test_objects_are_where_they_are_in_the_picture(part, whole):
    seen = 0
    for row, image_id in enumerate(order(part, 42)):
        if image_id in UNREADABLE:
            continue
        image, objects = whole["image"][row].astype(int), PICTURES[NAMES[image_id]][2]
        assert (whole["classes"][row] > 0).sum() <= len(objects)
        for label, box, frame, mask in zip(
            *(whole[key][row] for key in ("classes", "boxes", "mask_frames", "masks")), strict=True
        ):
            if label == -1:
                assert (box == -1).all()
                assert (frame == -1).all()
                assert not mask.any()
                continue
            np.testing.assert_allclose(box, np.clip(frame, 0, 32), atol=1e-4)
            # Every eighth cell of the mask, where the image shows it: is the pixel there of the object?
            rows, columns = (
                np.floor(start + (np.arange(4, 112, 8) + 0.5) * (end - start) / 112).astype(int)
                for start, end in (frame[::2], frame[1::2])
            )
            is_shown = np.ix_((rows >= 0) & (rows < 32), (columns >= 0) & (columns < 32))
            pixels = image[np.ix_(rows % 32, columns % 32)]
            is_object = np.abs(pixels - COLOURS[int(label)]).max(-1) < np.abs(pixels - GREY).max(-1)
            agree = (is_object == mask[4::8, 4::8])[is_shown]
            # Mirrored, a triangle agrees at half of them.
            if min(frame[2:] - frame[:2]) > 8 and agree.size:
                assert agree.mean() > 0.75
                seen += 1
        # And nowhere else.
        for label, colour in COLOURS.items():
            rows, columns = np.nonzero((np.abs(image - colour) < 25).all(axis=-1))
            boxes = whole["boxes"][row][whole["classes"][row] == label]
            covered = np.zeros(len(rows), bool)
            for ymin, xmin, ymax, xmax in boxes:
                covered |= (rows > ymin - 1.5) & (rows < ymax + 1) & (columns > xmin - 1.5) & (columns < xmax + 1)
            assert covered.all()
    assert seen > 15


def test_some_are_flipped(part, whole):
    """In the wide picture the first object is left of the second."""
    left = []
    for row, image_id in enumerate(order(part, 42)):
        if image_id == 0 and (whole["classes"][row] > 0).sum() == 2:
            # The centre of each, by its class.
            centres = whole["boxes"][row, :2, 1::2].mean(axis=1)
            red, green = centres[np.argsort(whole["classes"][row, :2])]
            left.append(red < green)
    assert {True, False} <= {*left}


def test_what_cannot_be_read_is_black_without_objects(part, whole):
    unreadable = np.isin(order(part, 42), [*UNREADABLE])
    np.testing.assert_array_equal(whole["valid"], ~unreadable)
    assert not whole["image"][unreadable].any()
    assert (whole["boxes"][unreadable] == -1).all()
    assert (whole["classes"][unreadable] == -1).all()
    assert not whole["masks"][unreadable].any()


def test_a_picture_without_objects_stays(part, whole):
    rows = np.flatnonzero(np.array(order(part, 42)) == NAMES.index("none.png"))
    assert len(rows) == 6
    assert whole["valid"][rows].all()
    assert (whole["classes"][rows] == -1).all()
    assert {*np.unique(whole["image"][rows])} == {0, GREY}


def test_of_many_objects_the_first_are_taken_and_without_masks_there_are_none(part):
    batches = input_pipeline.training_batches(
        part, image_size=32, batch_size=7, seed=7, max_objects=1, scales=(1, 1), horizontal_flip=False
    )
    rows = take(batches, 1)
    assert sorted(rows) == ["boxes", "classes", "image", "position", "valid"]
    row = order(part, 7).index(0)
    # The longer side of 60 pixels becomes 32, the other of 40 becomes 21; the crowd comes first, and is left out.
    assert rows["classes"][row].tolist() == [1]
    np.testing.assert_allclose(rows["boxes"][row, 0] * (40 / 21, 60 / 32, 40 / 21, 60 / 32), [6, 4, 16, 24], rtol=1e-5)


def test_evaluation_has_every_picture_once_in_order(evaluated):
    assert evaluated["image_id"].tolist() == [*range(7), 0, 0, 0]
    assert evaluated["valid"].tolist() == [row not in UNREADABLE for row in range(7)] + [False] * 3
    sizes = [list(PICTURES[name][:2]) for name in NAMES]
    assert evaluated["source_size"].tolist() == [*sizes, *[[0, 0]] * 3]
    np.testing.assert_allclose(evaluated["scale"][:7], [32 / max(size) for size in sizes])


def test_evaluation_keeps_the_aspect_and_pads_at_the_bottom_and_on_the_right(evaluated):
    """EXIF data say of two files that they are to be turned; the size of the annotations says which one is."""
    for row in {*range(7)} - UNREADABLE:
        height, width, objects = PICTURES[NAMES[row]]
        scale = evaluated["scale"][row]
        image = evaluated["image"][row].astype(int)
        expected = np.zeros((32, 32, 3))
        rows, columns = ((np.arange(32) + 0.5) / scale for _ in range(2))
        picture = np.asarray(paint(height, width, objects))
        inside = np.ix_(rows < height, columns < width)
        at = np.ix_(rows[rows < height].astype(int), columns[columns < width].astype(int))
        expected[inside] = picture[at]
        different = (np.abs(image - expected) > 30).any(axis=-1)
        # Edges are smooth.
        assert different.mean() < 0.16, NAMES[row]
        assert not image[~(rows < height)].any()
        assert not image[:, ~(columns < width)].any()


def test_masks_that_are_not_there_are_refused(part):
    with pytest.raises(ValueError, match="with_masks needs a part that has masks"):
        input_pipeline.training_batches(
            dataclasses.replace(part, has_masks=False), image_size=8, batch_size=1, seed=0, with_masks=True
        )
