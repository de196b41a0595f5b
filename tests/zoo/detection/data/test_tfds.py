import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets

from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data import tfds
from lambda_keras.zoo.errors import UserError

NAMES = [f"category {number}" for number in range(80)]
NAMES[0], NAMES[79] = "person", "toothbrush"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A folder in which TensorFlow Datasets finds a COCO of two pictures, the first with two objects."""
    folder = tmp_path_factory.mktemp("tfds")
    connectors = tensorflow_datasets.features
    features = connectors.FeaturesDict(
        {
            "image": connectors.Image(encoding_format="jpeg"),
            "image/filename": connectors.Text(),
            "image/id": tf.int64,
            "objects": connectors.Sequence(
                {
                    "id": np.int64,
                    "area": np.int64,
                    "bbox": connectors.BBoxFeature(),
                    "label": connectors.ClassLabel(names=NAMES),
                    "is_crowd": np.bool_,
                }
            ),
        }
    )

    objects = [
        {"id": 5, "area": 90, "bbox": connectors.BBox(0.1, 0.25, 0.6, 0.5), "label": 0, "is_crowd": False},
        {"id": 6, "area": 30, "bbox": connectors.BBox(0.0, 0.0, 1.0, 1.0), "label": 79, "is_crowd": True},
    ]
    examples = [
        (image_id, {"image": np.zeros((20, 40, 3), "uint8"), "image/filename": "a.jpg", "image/id": image_id} | found)
        for image_id, found in ((7, {"objects": objects}), (9, {"objects": []}))
    ]
    tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
        name="coco",
        config="2017",
        version="1.1.0",
        features=features,
        split_datasets=dict.fromkeys(("train", "validation"), examples),
        data_dir=folder,
    )
    return folder


def test_boxes_are_in_pixels_and_ids_are_cocos(data_dir):
    part = tfds.load("coco/2017", "validation", with_masks=False, data_dir=data_dir)
    assert (part.split.count, part.has_masks, part.report) == (2, False, None)
    assert (part.categories[0].id, part.categories[0].name) == (1, "person")
    assert (part.categories[79].id, part.categories[79].name) == (90, "toothbrush")
    truth = evaluator.ground_truth(part)
    assert sorted(image["id"] for image in truth["images"]) == [7, 9]
    assert all((image["height"], image["width"]) == (20, 40) for image in truth["images"])
    first, second = truth["annotations"]
    assert first["bbox"] == pytest.approx([10, 2, 10, 10], abs=1e-5)
    assert (first["image_id"], first["category_id"], first["area"], first["iscrowd"]) == (7, 1, 90, 0)
    assert second["bbox"] == [0, 0, 40, 20]
    assert (second["category_id"], second["iscrowd"]) == (90, 1)


def test_the_ids_of_coco_have_its_gaps():
    assert len(tfds.CATEGORY_IDS) == 80
    assert {12, 26, 29, 30, 45, 66, 68, 69, 71, 83} == {*range(1, 91)} - {*tfds.CATEGORY_IDS}


def test_what_cannot_be_is_one_line(data_dir):
    with pytest.raises(UserError, match=r"coco/2017 has boxes but no masks: train a detector of boxes alone"):
        tfds.load("coco/2017", "train", with_masks=True, data_dir=data_dir)
    with pytest.raises(UserError, match="detection takes coco/2014 and coco/2017, got 'voc'"):
        tfds.load("voc", "train", with_masks=False, data_dir=data_dir)
    with pytest.raises(UserError, match="'trai' is not a part of it"):
        tfds.load("coco/2017", "trai", with_masks=False, data_dir=data_dir)
