"""The argument of the commands that take image files."""

import argparse


def add_images(parser: argparse.ArgumentParser) -> None:
    """Adds the images, at least one word, which `lambda_keras.zoo.data.files.image_files.find` takes."""
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="JPEG, PNG, BMP, GIF or WebP file, a folder of them, or a pattern such as 'photos/**/*.jpg'",
    )
