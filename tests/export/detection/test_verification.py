import dataclasses

import numpy as np
import pytest

from lambda_keras.export.checks.artifact import Artifact, find_artifact
from lambda_keras.export.checks.verification import Cost
from lambda_keras.export.cli import main
from lambda_keras.export.detection import verification
from lambda_keras.export.detection.verification import (
    SAVED_MODEL_BOUNDS,
    TFLITE_BOUNDS,
    Comparison,
    Objects,
    Original,
    Verification,
    bounds_of,
)
from lambda_keras.zoo.errors import UserError
from tests.export.detection.conftest import png


@pytest.fixture(scope="module")
def original(detector):
    return Original(detector, load_seconds=1.5)


@pytest.fixture(scope="module")
def scenes_folder(scenes, tmp_path_factory):
    """The scenes as files, and one that is none."""
    folder = tmp_path_factory.mktemp("scenes")
    for number, scene in enumerate(scenes):
        (folder / f"{number}.png").write_bytes(png(scene))
    (folder / "damaged.jpg").write_bytes(b"garbage")
    return folder


def files(scenes):
    return ((str(number), png(scene)) for number, scene in enumerate(scenes))


def objects(*rows):
    """Objects of `name, box, score`, and masks whose every cell is the score."""
    names, boxes, scores = zip(*rows, strict=True) if rows else ((), np.zeros((0, 4)), ())
    masks = np.ones((len(rows), 28, 28)) * np.reshape(scores, (-1, 1, 1))
    return Objects(list(names), np.array(boxes, "float32"), np.array(scores, "float32"), masks.astype("float32"))


def compare(expected, found):
    comparison = Comparison()
    comparison.add(expected, found)
    return comparison


CAT, DOG = ("cat", [0, 0, 10, 10], 0.75), ("dog", [5, 5, 25, 35], 0.5)


def test_compare_by_hand():
    same = compare(objects(CAT, DOG), objects(DOG, CAT))
    assert same == Comparison(objects=2, alone=0, box=0.0, score=0.0, mask=0.0)
    moved = compare(objects(CAT, DOG), objects(("cat", [0, 0, 10, 10.5], 0.75), ("dog", [5, 5, 25, 35], 0.25)))
    assert moved == Comparison(objects=2, alone=0, box=0.5, score=0.25, mask=0.25)
    # Two of a class: each has its own counterpart, in whichever order.
    far = ("cat", [50, 50, 60, 60], 0.75)
    assert compare(objects(CAT, far), objects(far, CAT)).box == 0.0


def test_what_one_alone_finds():
    assert compare(objects(CAT, DOG), objects(CAT)).alone == 1
    assert compare(objects(CAT), objects(CAT, DOG)).alone == 1
    assert compare(objects(CAT), objects(("dog", *CAT[1:]))).alone == 2
    assert compare(objects(), objects()) == Comparison(mask=None)


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ({}, True),
        ({"box": 1e-3}, True),
        ({"box": 1.01e-3}, False),
        ({"score": 1.01e-4}, False),
        ({"mask": 1.01e-4}, False),
        ({"mask": None}, True),
        ({"alone": 1}, False),
        ({"box": np.nan}, False),
    ],
)
def test_the_bounds(change, passed):
    comparison = dataclasses.replace(Comparison(objects=2, mask=0.0), **change)
    assert comparison.passes(SAVED_MODEL_BOUNDS) is passed


def test_a_number_that_is_none_never_passes():
    broken = ("dog", DOG[1], np.nan)
    for found in (objects(CAT, broken), objects(broken, CAT)):
        assert not compare(objects(CAT, DOG), found).passes(TFLITE_BOUNDS)


def test_the_bounds_are_those_of_the_kind():
    assert bounds_of(Artifact("tflite", None, is_detector=True)) == TFLITE_BOUNDS
    assert bounds_of(Artifact("saved_model", None, is_detector=True)) == SAVED_MODEL_BOUNDS


def test_artifacts_in_both_forms_pass(detector_run, saved_model, tflite_file, scenes_folder, capsys):
    """The whole of what is printed."""
    arguments = ["--model", str(detector_run), "--data", str(scenes_folder), str(saved_model), str(tflite_file)]
    assert main(["verify", *arguments]) == 0
    out, err = capsys.readouterr()
    assert f"cannot use {scenes_folder}/" in err
    assert "damaged, or not a JPEG, PNG, BMP, GIF or WebP file\n" in err
    comparisons, costs, meaning = (part.splitlines() for part in out.split("\n\n"))
    header, _, of_model, *rows = comparisons
    assert header.split("  ")[0] == "artifact"
    name, count, *rest = of_model.split()
    assert (name, set(rest)) == (f"{detector_run}/model.keras", {"-"})
    assert int(count) >= 6
    for row, artifact, box in zip(rows, (saved_model, tflite_file), (1e-3, 1e-2), strict=True):
        name, found, alone, *differences, verdict = row.split()
        assert (name, found, alone, verdict) == (str(artifact), count, "0", "pass")
        assert all(0 <= float(value) <= bound for value, bound in zip(differences, (box, 1e-4, 1e-4), strict=True))
    assert [row.split()[0] for row in costs[2:]] == [f"{detector_run}/model.keras", str(saved_model), str(tflite_file)]
    assert meaning[0].startswith("3 pictures, 1 more cannot be decoded; artifacts ran in fresh processes")
    assert meaning[2].endswith("It is given pictures that are decoded and resized.")


def test_a_detector_that_has_changed_is_told_from_its_artifact(original, tflite_file, scenes):
    artifacts = [find_artifact(tflite_file)]
    boxes = original.detector.model.get_layer("box_head").get_layer("box_boxes").bias
    before = boxes.numpy()
    try:
        boxes.assign(before + 0.01)
        changed = verification.verify(original, files(scenes), artifacts)
    finally:
        boxes.assign(before)
    assert not changed.passes(artifacts)
    assert changed.comparisons[0].box > TFLITE_BOUNDS.box
    assert changed.pictures == 3
    assert [cost.batch_size for cost in changed.costs] == [1, 1]
    assert all(cost.latency_seconds > 0 and cost.load_seconds > 0 for cost in changed.costs)


def test_the_status_of_a_difference_is_1(original, tflite_file, detector_run, scenes_folder, monkeypatch, capsys):
    result = Verification(1, 0, 2, [Comparison(objects=2, alone=1)], [Cost(1.0, 1, 0.5)] * 2, rounds=3)
    monkeypatch.setattr(verification, "load_original", lambda source: original)
    monkeypatch.setattr(verification, "verify", lambda *arguments: result)
    arguments = ["--model", str(detector_run), "--data", str(scenes_folder), str(tflite_file)]
    assert main(["verify", *arguments]) == 1
    rows = capsys.readouterr().out.split("\n\n")[0].splitlines()[2:]
    assert [row.split()[1:] for row in rows] == [
        ["2", "-", "-", "-", "-", "-"],
        ["2", "1", "0.0e+00", "0.0e+00", "-", "FAIL"],
    ]


def test_without_a_picture_there_is_nothing_to_compare(original, tflite_file):
    with pytest.raises(UserError, match="none of the 1 pictures can be decoded; give others with --data"):
        verification.verify(original, iter([("a", b"garbage")]), [find_artifact(tflite_file)])


def test_where_nothing_is_found_nothing_is_proved(original, scenes):
    scores = original.detector.model.get_layer("box_head").get_layer("box_logits").bias
    before = scores.numpy()
    try:
        # All is background.
        scores.assign(before + np.array([100.0, 0, 0], "float32"))
        with pytest.raises(UserError, match="nothing is found in the 3 pictures"):
            verification.verify(original, files(scenes), [])
    finally:
        scores.assign(before)


def test_a_picture_that_the_artifact_alone_cannot_read_is_named(original, saved_model):
    with pytest.raises(UserError, match=r"1 cannot read large, which the detector reads; export it with a larger"):
        verification.verify(
            original, iter([("large", png(np.zeros((101, 100, 3), "uint8")))]), [find_artifact(saved_model)]
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "--model", "RUN", "--data", "digits", "CLASSIFIER"], "is a classifier, and RUN a detector; give"),
        (["verify", "--model", "PLAIN", "--data", "digits", "DETECTOR"], "is a detector, and PLAIN a classifier; give"),
        (["verify", "--model", "RUN", "--data", "nowhere", "DETECTOR"], "no data nowhere; give a folder as COCO's"),
        (["verify", "--model", "RUN", "--data", ".", "--image-size", "9", "DETECTOR"], "--image-size is for"),
        (["verify", "--model", "RUN", "--data", ".", "--runtime", "openvino", "DETECTOR"], "--runtime is for"),
        (["benchmark", "--out", "out", "DETECTOR"], "is a detector, whose time depends on what a picture shows"),
    ],
)
def test_bad_input_ends_in_a_line(arguments, message, detector_run, plain_run, tflite, tflite_file, tmp_path, capsys):
    places = {"RUN": detector_run, "PLAIN": plain_run, "CLASSIFIER": tflite, "DETECTOR": tflite_file}
    for name, place in places.items():
        message = message.replace(name, str(place))
    assert main([str(places.get(argument, argument)) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_masks_that_one_alone_has_are_refused(original, tflite_file, scenes, monkeypatch):
    record = original.detector.record
    without = dataclasses.replace(record, network=dataclasses.replace(record.network, masks=False))
    monkeypatch.setattr(original.detector, "record", without)
    with pytest.raises(UserError, match="has masks and its detector none"):
        verification.verify(original, files(scenes), [find_artifact(tflite_file)])
