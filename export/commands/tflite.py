"""`lambda-export tflite`: a trained model as a TFLite file, for devices."""

import argparse
from pathlib import Path

from lambda_keras.export.commands.options import add_data_dir, add_form, add_model
from lambda_keras.export.tflite.quantization import KINDS, NONE
from lambda_keras.zoo.command_line import add_common_options, add_most_pixels, say
from lambda_keras.zoo.data.limits import MOST_PIXELS
from lambda_keras.zoo.errors import UserError

CALIBRATION_IMAGES = 200


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("tflite", help="write a TFLite file, for devices")
    add_model(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.tflite", help="the file to write")
    add_form(parser)
    parser.add_argument(
        "--quantize",
        choices=KINDS,
        default=NONE,
        help="none: float32; float16 or dynamic (int8): the weights alone; int8: all, images and probabilities too; "
        "int8-float-io: all but these; int8-float-lambdas: all but these and the insides of lambda layers, which is "
        "fastest on a CPU (default: %(default)s)",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE.npz|FOLDER|FILE.csv|DATASET",
        help="images for int8: an .npz file, or a folder of image files, a CSV file or a dataset, such as "
        "digits: their training part, or all where there is none",
    )
    add_data_dir(parser)
    parser.add_argument(
        "--calibration-images", type=int, metavar="N", help=f"how many of them (default: {CALIBRATION_IMAGES})"
    )
    add_most_pixels(parser)
    # Whether it is given: without --calibration it is not taken.
    parser.set_defaults(most_pixels=None)
    parser.add_argument("--batch", type=int, metavar="N", help="images in a batch (default: any number)")
    parser.add_argument(
        "--any-size",
        action="store_true",
        help="take one uint8 picture of any size, and resize, crop and normalise it inside",
    )
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.model import load_to_serve
    from lambda_keras.export.tflite.calibration import load_calibration
    from lambda_keras.export.tflite.writer import export_tflite
    from lambda_keras.zoo.models.model_source import find

    for option in ("data_dir", "calibration_images", "most_pixels"):
        if getattr(options, option) is not None and not options.calibration:
            name = option.replace("_", "-")
            raise UserError(f"--{name} is for --calibration, which is missing; add it, or leave out --{name}")
    model, record = load_to_serve(find(options.model, options.weights), options.image_size, options.fuse)
    calibration = None
    if options.calibration:
        count = CALIBRATION_IMAGES if options.calibration_images is None else options.calibration_images
        limit = MOST_PIXELS if options.most_pixels is None else options.most_pixels
        calibration = load_calibration(options.calibration, model, count, record, options.data_dir, limit)
    path = export_tflite(
        model,
        options.out,
        quantization=options.quantize,
        calibration=calibration,
        batch_size=options.batch,
        record=record,
        any_size=options.any_size,
    )
    say(f"wrote {path}")
    return 0
