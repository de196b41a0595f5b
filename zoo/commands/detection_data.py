"""The arguments by which commands are given pictures with objects."""

import argparse


def add_data(parser: argparse.ArgumentParser, part: str) -> None:
    """Adds what `lambda_keras.zoo.detection.data.catalog.load` takes.

    Args:
        parser: The parser of a command.
        part: The part of the data that it takes by default.
    """
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="folder as COCO's, of `lambda-zoo detect stamps` or of shards; COCO file of objects; coco/2017, coco/2014",
    )
    parser.add_argument(
        "--part", choices=("train", "val"), default=part, help="of a folder or name (default: %(default)s)"
    )
    parser.add_argument(
        "--images", metavar="FOLDER", help="of a COCO file: its pictures (default: where COCO has them)"
    )
    parser.add_argument("--data-dir", metavar="FOLDER", help="of coco/2017: of TensorFlow Datasets (default: its own)")
