"""`lambda-zoo pseudo-label select`: labelled images in; those to train on, without copies, and a report out."""

import dataclasses
from pathlib import Path

import numpy as np

from lambda_keras.atomic import replacing
from lambda_keras.zoo.command_line import narrate, print_table, say
from lambda_keras.zoo.errors import UserError, writing_to
from lambda_keras.zoo.pseudo_labels import (
    copied_images,
    labelled_images,
    pseudo_folder,
    selection,
    selection_report,
    source,
)
from lambda_keras.zoo.pseudo_labels.copied_images import LeftOut
from lambda_keras.zoo.pseudo_labels.images import Images
from lambda_keras.zoo.pseudo_labels.labelled_images import Labelled
from lambda_keras.zoo.pseudo_labels.pictures import pictures
from lambda_keras.zoo.pseudo_labels.selection import Settings

REPORT = "report.html"
# Pictures of each kind in a report.
PAIRS = 12
EXAMPLES = 48
# Classes without images that are named in one line; the table in the report has all.
NAMED = 20
# A table that is longer is not read.
LONGEST_TABLE = 50


def select(
    labels: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    evaluation: source.Place | None = None,
    data: str | None = None,
    data_dir: str | None = None,
    shards: int = 16,
) -> None:
    """Selects labelled images to train on, writes them with a report, and prints how many there are.

    Args:
        labels: A folder of labels, see `lambda_keras.zoo.pseudo_labels.labels_folder`, of all shards.
        out: The folder to write, see `lambda_keras.zoo.pseudo_labels.pseudo_folder`.
        settings: The `lambda_keras.zoo.pseudo_labels.selection.Settings`.
        evaluation: Images that the student will be evaluated with: copies of them are left out.
        data: Where the images are now, if not where they were labelled.
        data_dir: The same of the folder of a dataset's name.
        shards: How many files to write.

    Raises:
        UserError: Labels are missing or damaged, the images are others than those that were labelled, no image is
            selected, or the folder cannot be written.
    """
    out = Path(out)
    pseudo_folder.check(out, shards)
    evaluation_images = source.find(evaluation) if evaluation else None
    labelled = labelled_images.read(Path(labels), data, data_dir)
    candidates = labelled.is_labelled & (labelled.confidence >= settings.threshold)
    left_out = copied_images.find(labelled, candidates, evaluation_images)
    allowed = candidates.copy()
    for pairs in (left_out.of_evaluation, left_out.of_each_other):
        allowed[pairs.images] = False
    records = selection.copies(labelled.labels, labelled.confidence, allowed, settings)
    total = int(records.sum())
    if total == 0:
        raise UserError(
            f"no image is selected: {int(candidates.sum()):,} of {len(records):,} have a probability of at least "
            f"{settings.threshold:g}, and {int((candidates & ~allowed).sum()):,} of these are copies; lower --threshold"
        )
    content = _content(labelled, evaluation_images, candidates, left_out, allowed, records, settings)
    description = labelled.description
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        written = pseudo_folder.write(out, labelled.examples(records), total, shards, settings.seed)
        with replacing(out / REPORT) as partial:
            partial.write_text(selection_report.render(content), encoding="utf-8")
        pseudo_folder.describe(
            out,
            description.classes,
            {"name": description.teacher.name, "sha256": description.teacher.sha256},
            {
                **dataclasses.asdict(settings),
                "evaluation": evaluation and evaluation._asdict(),
                "images": int((records > 0).sum()),
                "copies_of_evaluation_images": len(left_out.of_evaluation.images),
                "near_duplicates": len(left_out.of_each_other.images),
            },
            written,
        )
    _print(content)
    narrate(f"Wrote {out}")


def _content(
    labelled: Labelled,
    evaluation: Images | None,
    candidates: np.ndarray,
    left_out: LeftOut,
    allowed: np.ndarray,
    records: np.ndarray,
    settings: Settings,
) -> selection_report.Content:
    """What the report shows, with the pictures."""
    class_names, labels, selected = labelled.description.classes, labelled.labels, np.flatnonzero(records)
    counts = np.stack(
        [
            np.bincount(labels[masked], weights, len(class_names)).astype("int64")
            for masked, weights in (
                (labelled.is_labelled, None),
                (candidates, None),
                (allowed, None),
                (selected, records[selected]),
            )
        ],
        axis=1,
    )
    examples = np.sort(np.random.default_rng(settings.seed).permutation(selected)[:EXAMPLES])
    copied, duplicates = (_first_pairs(labelled, pairs) for pairs in (left_out.of_evaluation, left_out.of_each_other))
    positions = labelled.positions(examples)
    shown = [*positions, *(copy for copy, _ in copied), *(position for pair in duplicates for position in pair)]
    most_pixels = labelled.description.most_pixels
    own = pictures(labelled.images, shown, most_pixels)
    theirs = pictures(evaluation, [original for _, original in copied], most_pixels) if evaluation else {}
    sums = counts.sum(axis=0).tolist()
    return selection_report.Content(
        teacher=labelled.description.teacher.name,
        settings=settings,
        figures=[
            (f"{sums[0]:,}", "images labelled"),
            (f"{int((~labelled.is_labelled).sum()):,}", "images that could not be read"),
            (f"{sums[1]:,}", "images at or above the threshold"),
            (f"{len(left_out.of_evaluation.images):,}", "copies of evaluation images, left out"),
            (f"{len(left_out.of_each_other.images):,}", "near-duplicates, left out"),
            (f"{len(selected):,}", "images selected"),
            (f"{sums[3]:,}", "records written"),
        ],
        remarks=_remarks(class_names, evaluation, left_out, counts[:, 3]),
        class_names=class_names,
        confidence=labelled.confidence[labelled.is_labelled],
        counts=counts,
        evaluation_copies=[(own[copy], theirs[original]) for copy, original in copied],
        duplicates=[(own[copy], own[original]) for copy, original in duplicates],
        examples=[
            (own[position], class_names[labels[number]], float(labelled.confidence[number]))
            for position, number in zip(positions, examples, strict=True)
        ],
    )


def _first_pairs(labelled, pairs):
    """The positions of the first pairs."""
    return list(zip(labelled.positions(pairs.images[:PAIRS]), pairs.originals[:PAIRS], strict=True))


def _remarks(class_names, evaluation, left_out, records):
    lines = []
    if empty := [name for name, count in zip(class_names, records.tolist(), strict=True) if count == 0]:
        named = ", ".join(empty[:NAMED]) + (", …" if len(empty) > NAMED else "")
        lines.append(f"no image is selected of {len(empty):,} of {len(class_names):,} classes: {named}")
    if evaluation is None:
        lines.append("no --evaluation: copies of images that the student will be evaluated with were not looked for")
    if left_out.unreadable:
        lines.append(f"{left_out.unreadable:,} evaluation images could not be read, so no copies of them be found")
    return [
        *lines,
        "of images whose shorter side has less than 64 pixels only exact copies are found; crops are not found at all",
    ]


def _print(content):
    print_table(("figure", "number"), [(name, value) for value, name in content.figures], right=(1,))
    say()
    if len(content.class_names) <= LONGEST_TABLE:
        rows = [
            (name, *(f"{count:,}" for count in counts))
            for name, counts in zip(content.class_names, content.counts.tolist(), strict=True)
        ]
        print_table(("class", *selection_report.COUNTS), rows, right=(1, 2, 3, 4))
        say()
    for remark in content.remarks:
        say(remark)
