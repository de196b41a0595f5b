import json
import shutil

import pytest

from lambda_keras.zoo.detection.data import catalog, shards, tfds
from lambda_keras.zoo.errors import UserError


@pytest.fixture
def coco_folder(write_coco, tmp_path):
    """As COCO's: the file in annotations/, the pictures beside that."""
    file, images = write_coco()
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    shutil.copy(file, folder / "annotations" / "instances_val2017.json")
    shutil.copytree(images, folder / "val2017")
    return folder


def test_a_folder_as_cocos(coco_folder):
    part = catalog.load(str(coco_folder), "val", with_masks=True)
    assert part.split.count == 3
    assert [category.id for category in part.categories] == [3, 7, 90]


def test_a_folder_as_that_of_stamps(coco_folder):
    (coco_folder / "annotations" / "instances_val2017.json").rename(coco_folder / "instances_train.json")
    (coco_folder / "val2017").rename(coco_folder / "train")
    assert catalog.load(str(coco_folder), "train", with_masks=True).split.count == 3
    with pytest.raises(UserError, match=r"has no file instances_val\*.json"):
        catalog.load(str(coco_folder), "val", with_masks=True)


def test_a_file_with_pictures_anywhere(write_coco):
    file, images = write_coco()
    assert catalog.load(str(file), "val", with_masks=True, images=images).split.count == 3
    for path in images.iterdir():
        path.rename(file.parent / path.name)
    assert catalog.load(str(file), "val", with_masks=True).split.count == 3


def test_shards_of_one_part_and_of_both(coco_folder, tmp_path):
    shards.write(catalog.load(str(coco_folder), "val", with_masks=True), tmp_path / "shards" / "val", 2)
    for data in (tmp_path / "shards", tmp_path / "shards" / "val"):
        assert catalog.load(str(data), "val", with_masks=True).split.count == 3


def test_a_name_of_tensorflow_datasets(monkeypatch):
    asked = []
    monkeypatch.setattr(tfds, "load", lambda *arguments: asked.append(arguments))
    catalog.load("coco/2017", "val", with_masks=False, data_dir="prepared")
    assert asked == [("coco/2017", "validation", False, "prepared")]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("nowhere", {}, "no data nowhere; give a folder as COCO's"),
        ("coco/2019", {}, "coco/2014 or coco/2017"),
        ("coco/2017", {"images": "pictures"}, "--images is for a COCO file of objects, and coco/2017 is none"),
        (".", {"part": "test"}, "a part of the data is train or val, got 'test'"),
        (".", {}, "has no file instances_val*.json"),
    ],
)
def test_what_is_no_data_is_refused(data, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        catalog.load(data, **{"part": "val", "with_masks": True, **options})
    assert message in str(caught.value)


def test_of_two_files_none_is_picked(coco_folder):
    file = coco_folder / "annotations" / "instances_val2017.json"
    shutil.copy(file, file.with_name("instances_val2014.json"))
    with pytest.raises(UserError, match="has 2 files"):
        catalog.load(str(coco_folder), "val", with_masks=True)


def test_both_parts(coco_folder, tmp_path):
    with pytest.raises(UserError, match=r"has no file instances_train\*.json"):
        catalog.load_for_training(str(coco_folder), with_masks=True)
    file = coco_folder / "annotations" / "instances_val2017.json"
    (coco_folder / "train2017").symlink_to(coco_folder / "val2017")
    content = json.loads(file.read_text())
    train_file = file.with_name("instances_train2017.json")
    train_file.write_text(json.dumps({**content, "images": content["images"][:2]}))
    train, val = catalog.load_for_training(str(coco_folder), with_masks=True)
    assert (train.split.count, val.split.count) == (2, 3)
    train_file.write_text(json.dumps({**content, "categories": [*content["categories"], {"id": 1, "name": "ant"}]}))
    with pytest.raises(UserError, match="have other categories"):
        catalog.load_for_training(str(coco_folder), with_masks=True)
    with pytest.raises(UserError, match="is one part of data"):
        catalog.load_for_training(str(file), with_masks=True)
