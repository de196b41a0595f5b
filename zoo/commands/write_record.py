"""`lambda-zoo write-record`: says of a lone `.keras` file how it wants its images."""

import argparse

from lambda_keras.zoo.command_line import add_common_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("write-record", help="say how a .keras file of yours wants its images")
    parser.add_argument("file", metavar="FILE", help=".keras file, which gets a record.json beside it")
    channels = parser.add_argument_group("normalisation, one of")
    channels.add_argument(
        "--mean", type=float, nargs="+", metavar="X", help="of each channel on the scale 0 to 1, or one for all"
    )
    channels.add_argument("--std", type=float, nargs="+", metavar="X", help="standard deviation, with --mean")
    channels.add_argument("--normalises-itself", action="store_true", help="the model does it, of values 0 to 255")
    parser.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default: that of the input)")
    parser.add_argument(
        "--evaluation-crop", type=float, default=0.875, metavar="X", help="side of the central crop (default: 0.875)"
    )
    parser.add_argument(
        "--interpolation", choices=("bilinear", "bicubic"), default="bicubic", help="(default: bicubic)"
    )
    parser.add_argument("--class-names", metavar="FILE", help="text, a name on each line (default: 0, 1, …)")
    parser.add_argument("--overwrite", action="store_true", help="replace the record that is there")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.errors import UserError
    from lambda_keras.zoo.models.lone_file import write_record

    if arguments.normalises_itself == (arguments.mean is not None or arguments.std is not None):
        raise UserError("say how the model's images are normalised: --mean and --std, or --normalises-itself")
    write_record(
        arguments.file,
        mean=arguments.mean,
        std=arguments.std,
        image_size=arguments.image_size,
        class_names=arguments.class_names,
        overwrite=arguments.overwrite,
        evaluation_crop=arguments.evaluation_crop,
        interpolation=arguments.interpolation,
    )
