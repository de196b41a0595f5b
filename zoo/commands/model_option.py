"""The arguments by which commands are given a model."""

import argparse


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds `MODEL` and `--weights`, which `lambda_keras.zoo.models.model_source.find` takes."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a run or of save_pretrained, .keras file with record.json beside it, "
        "hf://owner/repository[@revision], or a name of `lambda-zoo models`, such as lambda_resnet50ts",
    )
    parser.add_argument("--weights", metavar="WEIGHTS", help="of a model that is a name: a tag, a path or hf://…")
