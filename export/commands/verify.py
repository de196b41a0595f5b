"""`lambda-export verify`: artifacts against the model that they were made of."""

import argparse

from lambda_keras.export.checks.runtimes import RUNTIMES
from lambda_keras.export.commands.options import add_artifacts, add_data_dir, add_model
from lambda_keras.zoo.command_line import add_common_options, positive
from lambda_keras.zoo.errors import UserError

# Of a detector: they take a second each on a CPU, and the first show what all would.
MOST_PICTURES = 100


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("verify", help="compare artifacts with the model, in fresh processes")
    add_model(parser)
    parser.add_argument(
        "--data",
        required=True,
        metavar="FILE.npz|FOLDER|FILE.csv|DATASET",
        help="images and labels: the test.npz of a training, or the test part of what `lambda-zoo evaluate` takes; "
        "of a detector, a folder of pictures, or what `lambda-zoo detect evaluate` takes",
    )
    add_data_dir(parser)
    parser.add_argument("--image-size", type=positive, metavar="N", help="side in pixels, of artifacts made with it")
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        action="append",
        default=[],
        help="run SavedModels in this too (may be given twice)",
    )
    add_artifacts(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.checks.artifact import check_kind, find_artifacts
    from lambda_keras.zoo.detection.kind import is_detector

    artifacts = find_artifacts(options.artifacts)
    found = is_detector(options.model)
    check_kind(artifacts, options.model, found)
    return _verify_detector(options, artifacts) if found else _verify_classifier(options, artifacts)


def _verify_detector(options, artifacts):
    from lambda_keras.export.detection.picture_files import read_files
    from lambda_keras.export.detection.report import print_report
    from lambda_keras.export.detection.verification import load_original, verify

    for name in ("weights", "image_size", "runtime"):
        if getattr(options, name):
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} is for classifiers, and {options.model} is a detector; leave it out")
    files = read_files(options.data, MOST_PICTURES, options.data_dir)
    original = load_original(options.model)
    verification = verify(original, files, artifacts)
    print_report(original.detector.name, artifacts, verification)
    return 0 if verification.passes(artifacts) else 1


def _verify_classifier(options, artifacts):
    from lambda_keras.export.checks.artifact import in_runtimes, refuse_pictures
    from lambda_keras.export.checks.report import print_report
    from lambda_keras.export.checks.runner import load_original
    from lambda_keras.export.checks.verification import verify
    from lambda_keras.export.images.labelled import load_test_images
    from lambda_keras.zoo.models.model_source import find

    refuse_pictures(artifacts)
    artifacts += in_runtimes(artifacts, options.runtime)
    original, record = load_original(find(options.model, options.weights), options.image_size)
    data = load_test_images(options.data, original.model, record, options.data_dir)
    verification = verify(original, data, artifacts, record)
    print_report(original.name, len(data.images), artifacts, verification)
    return 0 if verification.passes(artifacts) else 1
