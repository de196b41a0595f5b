import json
import pathlib
import random

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from pycocotools.coco import COCO

from lambda_keras.zoo.detection import evaluator
from lambda_keras.zoo.detection.data import coco_json, stamps
from lambda_keras.zoo.errors import UserError

REAL = pathlib.Path("/usr/share/tuxpaint/stamps")
COUNTS = {"train_pictures": 6, "val_pictures": 3}


def draw(path, colour, side=30, ring=0):
    """A disc of one colour, on nothing."""
    distance = np.hypot(*np.mgrid[:side, :side] - side / 2 + 0.5)
    pixels = np.zeros((side, side, 4), "uint8")
    pixels[(distance < side / 2) & (distance >= ring)] = (*colour, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five discs in each category, one of them in a folder further down, and what is no stamp."""
    folder = tmp_path_factory.mktemp("stamps")
    for number, category in enumerate(stamps.CATEGORIES):
        for stamp in range(5):
            path = folder / category / ("below" if stamp == 4 else "") / f"{category}{stamp}.png"
            draw(path, (30 * number, 60 * stamp, 200), side=20 + 10 * stamp, ring=stamp)
    draw(folder / "food" / "food0_mirror.png", (1, 2, 3))
    Image.open(folder / "food" / "food1.png").crop((-5, -9, 50, 60)).save(folder / "food" / "food1.png")
    Image.new("RGB", (9, 9)).save(folder / "food" / "opaque.png")
    Image.new("RGBA", (9, 9)).save(folder / "food" / "empty.png")
    (folder / "food" / "sound.ogg").write_bytes(b"")
    draw(folder / "people" / "nobody.png", (1, 2, 3))
    return folder


@pytest.fixture(scope="module")
def composed(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("composed")
    stamps.compose(folder, out, seed=1, **COUNTS)
    return out


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder, composed, tmp_path):
    stamps.compose(folder, tmp_path / "again", seed=1, **COUNTS)
    assert files(tmp_path / "again") == files(composed)
    stamps.compose(folder, tmp_path / "other", seed=2, **COUNTS)
    assert files(tmp_path / "other")["val/000001.jpg"] != files(composed)["val/000001.jpg"]


def test_more_pictures_leave_the_first_as_they_are(folder, composed, tmp_path):
    stamps.compose(folder, tmp_path / "more", seed=1, train_pictures=7, val_pictures=3)
    more, few = files(tmp_path / "more"), files(composed)
    assert {name for name in more if name.startswith("train/")} == {f"train/{n:06}.jpg" for n in range(1, 8)}
    assert all(more[f"train/{number:06}.jpg"] == few[f"train/{number:06}.jpg"] for number in range(1, 7))


def test_what_is_found_is_transparent_somewhere_and_no_copy(folder):
    found = stamps.find(folder)
    assert [*found] == list(stamps.CATEGORIES)
    for category, of_category in found.items():
        assert sorted(stamp.path.name for stamp in of_category) == [f"{category}{n}.png" for n in range(5)]
    # Empty edges are cut off.
    assert {stamp.path.name: stamp.image.size for stamp in found["food"]} == {
        f"food{number}.png": (20 + 10 * number,) * 2 for number in range(5)
    }


def test_no_stamp_is_in_both_parts(folder):
    parts = stamps.split(stamps.find(folder))
    for category in stamps.CATEGORIES:
        train, val = ({stamp.path for stamp in parts[part][category]} for part in stamps.PARTS)
        assert (len(train), len(val)) == (4, 1)
        assert not train & val


def test_masks_are_the_alpha_of_the_stamp_minus_what_lies_over_it(folder, monkeypatch):
    """The picture is composed anew, stamp by stamp, from where Pillow was told to put them."""
    pasted = []
    original = Image.Image.paste

    def paste(self, image, box=None, mask=None):
        # Pillow itself calls it with other boxes.
        if box is not None and len(box) == 2:
            pasted.append((image, box))
        original(self, image, box, mask)

    monkeypatch.setattr(Image.Image, "paste", paste)
    found = stamps.split(stamps.find(folder))["train"]
    for number in range(20):
        pasted.clear()
        picture, placed = stamps.compose_picture(found, random.Random(number), most_stamps=8)
        assert picture.size == (320, 320)
        alphas = []
        for image, (x, y) in pasted:
            alpha = np.zeros((320, 320), bool)
            alpha[y : y + image.height, x : x + image.width] = np.asarray(image)[:, :, 3] >= 128
            alphas.append(alpha)
        # Stamps that would have hidden others were left out; the masks say which, from the last to the first.
        over = np.zeros((320, 320), bool)
        for stamp in placed[::-1]:
            while not np.array_equal(alphas[-1] & ~over, stamp.mask):
                alphas.pop()
            whole = alphas.pop()
            assert stamp.pixels == whole.sum()
            assert stamp.mask.sum() >= 0.5 * stamp.pixels
            over |= whole
        assert len(placed) >= 1


def test_a_mask_has_the_colour_of_its_stamp(folder):
    found = stamps.split(stamps.find(folder))["val"]
    picture, placed = stamps.compose_picture(found, random.Random(0), most_stamps=4)
    pixels = np.asarray(picture).astype(int)
    for stamp in placed:
        (only,) = found[stamps.CATEGORIES[stamp.category - 1]]
        colour = np.asarray(only.image)[np.asarray(only.image)[:, :, 3] == 255][0, :3].astype(int)
        assert np.median(np.abs(pixels[stamp.mask] - colour).max(axis=1)) <= 1


def test_what_is_written_is_coco(composed, capsys):
    for part, count in (("train", 6), ("val", 3)):
        coco = COCO(str(composed / f"instances_{part}.json"))
        assert len(coco.imgs) == count
        assert [category["name"] for category in coco.loadCats(range(1, 9))] == list(stamps.CATEGORIES)
        for annotation in coco.anns.values():
            mask = coco.annToMask(annotation)
            assert annotation["area"] == mask.sum()
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
            assert annotation["bbox"] == [columns[0], rows[0], width, height]
        part = coco_json.load(composed / f"instances_{part}.json", composed / part, with_masks=True)
        assert part.report.skipped == dict.fromkeys(coco_json.REASONS, 0)
        truth = evaluator.ground_truth(part)
        results = [
            {key: entry[key] for key in ("image_id", "category_id", "segmentation")} | {"score": 1.0}
            for entry in truth["annotations"]
        ]
        assert evaluator.evaluate(truth, results, "masks").ap == pytest.approx(1)


def test_the_licence_stands_in_the_files(composed):
    assert "GNU General Public License, version 2" in (composed / "README.md").read_text()
    for part in stamps.PARTS:
        content = json.loads((composed / f"instances_{part}.json").read_text())
        assert content["licenses"][0]["name"] == "GPL-2.0-or-later"
        assert "GPL-2.0-or-later" in content["info"]["description"]
        assert all(image["license"] == 1 for image in content["images"])


def test_bad_folders_are_one_line(folder, composed, tmp_path):
    with pytest.raises(UserError, match=r"animals has 0 stamps .* tuxpaint-stamps-default"):
        stamps.compose(tmp_path / "gone", tmp_path / "out", seed=1, **COUNTS)
    with pytest.raises(UserError, match="is there already and not empty"):
        stamps.compose(folder, composed, seed=1, **COUNTS)


def test_a_damaged_stamp_is_one_line(folder, tmp_path, monkeypatch):
    path = tmp_path / "animals" / "a.png"
    draw(path, (1, 2, 3))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"cannot read the stamp .*a\.png"):
        stamps.find(tmp_path)
    # The size stands in the first 33 bytes: what it says is believed, and nothing is decoded.
    header = bytearray(path.read_bytes())
    header[16:24] = (8000).to_bytes(4, "big") * 2
    path.write_bytes(header[:29] + PngImagePlugin._crc32(header[12:29]).to_bytes(4, "big") + header[33:])
    with pytest.raises(UserError, match=r"a\.png has more than 16,000,000 pixels"):
        stamps.find(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="Debian's package tuxpaint-stamps-default is not installed")
def test_the_real_stamps(tmp_path):
    found = stamps.find(REAL)
    assert min(map(len, found.values())) >= 30
    parts = stamps.split(found)
    assert all(len(parts["val"][category]) >= 6 for category in stamps.CATEGORIES)
    picture, placed = stamps.compose_picture(parts["train"], random.Random(0), most_stamps=6)
    assert picture.size == (320, 320)
    assert placed
