import json
import shutil

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.detection.evaluate import print_figures
from lambda_keras.zoo.detection.evaluator import Figures


@pytest.fixture
def data(write_coco, content, tmp_path):
    """A folder as COCO's, one picture of which cannot be read, and one object of which is of no category."""
    content["images"].append({"id": 5, "file_name": "5.png", "height": 40, "width": 60})
    content["annotations"].append({"id": 103, "image_id": 2, "category_id": 4, "bbox": [1, 1, 9, 9], "iscrowd": 0})
    file, images = write_coco(content)
    (images / "5.png").write_bytes(b"no picture")
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(file, folder / "instances_val.json")
    shutil.copytree(images, folder / "val")
    return folder


def test_what_is_printed_is_what_pycocotools_says_of_what_is_written(run, data, tmp_path, capsys):
    assert main(["detect", "evaluate", str(run), "--data", str(data), "--batch-size", "3"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[2].split() == ["AP", "AP50", "AP75", "AP_s", "AP_m", "AP_l"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[4:6]}
    assert "pictures that could not be read: 1 of 4" in out
    assert "skipped: 1 annotations of a category that the file does not list" in out
    folder = run / "evaluation"
    figures = json.loads((folder / "evaluation.json").read_text())
    assert (figures["pictures"], figures["unreadable_pictures"]) == (3, 1)
    truth = COCO(data / "instances_val.json")
    for kind, iou_type in (("boxes", "bbox"), ("masks", "segm")):
        evaluation = COCOeval(truth, truth.loadRes(str(folder / f"{kind}.json")), iou_type)
        evaluation.params.imgIds = [2, 11, 30]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        expected = [None if value < 0 else value for value in evaluation.stats[:6]]
        for value, (name, wanted), cell in zip(expected, figures[kind].items(), rows[kind], strict=True):
            assert (value is None) == (wanted is None), name
            assert cell == ("–" if value is None else f"{value * 100:.1f}")
            if value is not None:
                np.testing.assert_allclose(wanted, value, atol=1e-9)
    # There is neither a medium nor a large object.
    assert rows["boxes"][-1] == "–"


def test_figures_are_percentages(capsys):
    print_figures({"boxes": Figures(0.5, 1.0, 0.256, None, 0.0, 0.0004)})
    assert capsys.readouterr().out.splitlines()[-1].split() == ["boxes", "50.0", "100.0", "25.6", "–", "0.0", "0.0"]


def test_bad_input_ends_in_a_line(run, data, capsys):
    content = json.loads((data / "instances_val.json").read_text())
    content["categories"][0]["name"] = "eagle"
    (data / "instances_val.json").write_text(json.dumps(content))

    def fails(*options):
        assert main(["detect", "evaluate", str(run), *options]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    assert "the first that differs is (90, 'eagle'), the detector's is (90, 'owl')" in fails("--data", str(data))
    assert "no data nowhere" in fails("--data", "nowhere")
    assert "--batch-size must be 1 to" in fails("--data", str(data), "--batch-size", "0")
    assert "boxes but no masks" in fails("--data", "coco/2017")
    (data / "instances_val.json").write_text("{")
    assert "is no JSON file" in fails("--data", str(data))
