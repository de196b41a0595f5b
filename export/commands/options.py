"""The arguments that several commands share."""

import argparse
from pathlib import Path


def add_model(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Adds `--model` and `--weights`, which `lambda_keras.zoo.models.model_source.find` takes."""
    parser.add_argument(
        "--model",
        required=required,
        metavar="MODEL",
        help="the trained model: a .keras file, a folder of a run or of save_pretrained, "
        "hf://owner/repository[@revision], or a name of `lambda-zoo models`, such as lambda_resnet50ts",
    )
    parser.add_argument("--weights", metavar="WEIGHTS", help="of a model that is a name: a tag, a path or hf://…")


def add_form(parser: argparse.ArgumentParser) -> None:
    """Adds `--fuse` and `--image-size`: in which form a model is exported."""
    parser.add_argument("--fuse", action="store_true", help="fold layers into each other: fewer operations")
    parser.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default: as trained)")


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Adds `--data-dir`, where a dataset is."""
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="of a dataset: as for `lambda-zoo train`")


def add_artifacts(parser: argparse.ArgumentParser) -> None:
    """Adds the artifacts, at least one."""
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="ARTIFACT", help="SavedModel or .tflite file")
