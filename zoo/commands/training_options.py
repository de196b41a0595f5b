"""What the commands that train a recipe have in common."""

import argparse
import typing
from pathlib import Path

if typing.TYPE_CHECKING:
    import tensorflow as tf


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Adds `--recipe`, which `lambda_keras.zoo.recipe_file` takes."""
    parser.add_argument("--recipe", required=True, help="name from `lambda-zoo recipes`, or path of a .yaml file")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Adds where a run goes and what it runs on: `--out`, `--strategy`, `--tpu` and `--overwrite`."""
    parser.add_argument("--out", help="folder to write (default: runs/<recipe>); resumes the run that it holds")
    parser.add_argument("--strategy", default="default", help="default, mirrored, multi_worker or tpu")
    parser.add_argument("--tpu", help="with --strategy tpu: name or address of the TPU, or local")
    parser.add_argument("--overwrite", action="store_true", help="remove the run that the folder holds, start anew")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Adds `--dry-run` and `--replicas`."""
    parser.add_argument("--dry-run", action="store_true", help="print size, steps and memory of the training, and end")
    parser.add_argument("--replicas", type=int, default=1, help="with --dry-run: devices to share a batch (default: 1)")


def out_of(arguments: argparse.Namespace) -> str | Path:
    """The folder that a run goes into."""
    return arguments.out or Path("runs", Path(arguments.recipe).stem)


def strategy_of(arguments: argparse.Namespace) -> "tf.distribute.Strategy":
    """Makes the strategy. That of several machines must be there before TensorFlow does anything else."""
    from lambda_keras.zoo.training import strategy

    return strategy.create(arguments.strategy, arguments.tpu)
