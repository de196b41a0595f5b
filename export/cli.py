"""The command `lambda-export`: write artifacts of a trained model and compare them with it."""

import argparse
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from lambda_keras.export.checks.runtimes import RUNTIMES
from lambda_keras.export.tflite.quantization import KINDS, NONE
from lambda_keras.zoo.command_line import Parser, run
from lambda_keras.zoo.errors import UserError

CALIBRATION_IMAGES = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: The arguments after the program's name; by default those of the process.

    Returns:
        The exit status: 0 done, 1 an artifact differs from its model, 2 bad input (one line on stderr), 130 after
        Ctrl-C. SIGTERM ends the process with 143 and leaves nothing half written.
    """
    # TensorFlow's C++ side talks at length on stderr. Who wants to read it sets the variable.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def command() -> int:
        options = _parser().parse_args(argv)
        return options.run(options)

    handler = signal.signal(signal.SIGTERM, _end)
    try:
        return run("lambda-export", command)
    finally:
        signal.signal(signal.SIGTERM, handler)


def _end(number, frame):
    """Ends as SIGTERM does, but by an exception, so that what is half written is removed."""
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="lambda-export", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    saved_model = commands.add_parser("saved-model", help="write a SavedModel, for servers")
    _add_model(saved_model)
    saved_model.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets DIR/<next number>/")
    saved_model.add_argument("--features", action="store_true", help="offer the embedding and the stages' maps too")
    _add_form(saved_model)
    saved_model.add_argument("--freeze", action="store_true", help="write the weights as constants of the graph")
    saved_model.add_argument("--warmup", type=int, metavar="N", help="add N requests of each signature to start with")
    saved_model.set_defaults(run=_saved_model)

    tflite = commands.add_parser("tflite", help="write a TFLite file, for devices")
    _add_model(tflite)
    tflite.add_argument("--out", type=Path, required=True, metavar="FILE.tflite", help="the file to write")
    _add_form(tflite)
    _add_quantization(tflite)
    tflite.add_argument("--batch", type=int, metavar="N", help="images in a batch (default: any number)")
    tflite.set_defaults(run=_tflite)

    web = commands.add_parser("web", help="write a page that classifies pictures in a browser")
    web.add_argument("model", type=Path, metavar="FILE.tflite", help="as `tflite --batch 1` writes it")
    web.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    web.set_defaults(run=_web)

    _define_verify(commands.add_parser("verify", help="compare artifacts with the model, in fresh processes"))
    _define_benchmark(commands.add_parser("benchmark", help="measure artifacts by batch size, with a plot"))

    serve_check = commands.add_parser("serve-check", help="print how to serve a folder of SavedModels, and try it")
    serve_check.add_argument("folder", type=Path, metavar="DIR", help="what --out of saved-model was")
    serve_check.add_argument("--name", metavar="NAME", help="the model's name on the server (default: the folder's)")
    serve_check.add_argument("--image", type=Path, metavar="FILE", help="to ask about (default: a generated picture)")
    serve_check.set_defaults(run=_serve_check)
    return parser


def _define_verify(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        "--data",
        required=True,
        metavar="FILE.npz|DATASET",
        help="images and labels: the test.npz of a training, or a dataset, such as digits: its test part",
    )
    _add_data_dir(parser)
    parser.add_argument("--image-size", type=_positive, metavar="N", help="side in pixels, of artifacts made with it")
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        action="append",
        default=[],
        help="run SavedModels in this too (may be given twice)",
    )
    _add_artifacts(parser)
    parser.set_defaults(run=_verify)


def _define_benchmark(parser: argparse.ArgumentParser) -> None:
    _add_model(parser, required=False)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets benchmark.csv and benchmark.png")
    parser.add_argument(
        "--batch-sizes",
        type=_batch_sizes,
        default=(1, 2, 4, 8, 16),
        metavar="N,N,…",
        help="images in a batch (default: 1,2,4,8,16)",
    )
    parser.add_argument("--image-size", type=_positive, metavar="N", help="side in pixels, of artifacts that take any")
    _add_artifacts(parser)
    parser.set_defaults(run=_benchmark)


def _batch_sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_positive(part) for part in text.split(",")}))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _add_artifacts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="ARTIFACT", help="SavedModel or .tflite file")


def _add_model(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument(
        "--model",
        required=required,
        metavar="MODEL",
        help="the trained model: a .keras file, a folder of a run or of save_pretrained, "
        "hf://owner/repository[@revision], or a name of `lambda-zoo models`, such as lambda_resnet50ts",
    )
    parser.add_argument("--weights", metavar="WEIGHTS", help="of a model that is a name: a tag, a path or hf://…")


def _add_form(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fuse", action="store_true", help="fold layers into each other: fewer operations")
    parser.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default: as trained)")


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="of a dataset: as of `lambda-zoo train`")


def _add_quantization(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quantize",
        choices=KINDS,
        default=NONE,
        help="none: float32; float16 or dynamic (int8): the weights alone; int8: all, images and probabilities too; "
        "int8-float-io: all but these (default: %(default)s)",
    )
    parser.add_argument(
        "--calibration",
        metavar="PATH|DATASET",
        help="images for int8: an .npz file, a folder of image files, or a dataset, such as digits: its training part",
    )
    _add_data_dir(parser)
    parser.add_argument(
        "--calibration-images", type=int, metavar="N", help=f"how many of them (default: {CALIBRATION_IMAGES})"
    )


# TensorFlow takes seconds to import: each command imports what it needs, so that --help is quick.


def _saved_model(options: argparse.Namespace) -> int:
    from lambda_keras.export.model import load_to_serve
    from lambda_keras.export.saved_model.writer import export_saved_model
    from lambda_keras.zoo.models.source import find

    source = find(options.model, options.weights)
    model, record = load_to_serve(source, options.image_size, options.fuse)
    version = export_saved_model(
        model,
        options.out,
        record,
        source,
        features=options.features,
        freeze=options.freeze,
        warmup=options.warmup,
    )
    print(f"wrote {version}")
    return 0


def _tflite(options: argparse.Namespace) -> int:
    from lambda_keras.export.model import load_to_serve
    from lambda_keras.export.tflite.calibration import load_calibration
    from lambda_keras.export.tflite.writer import export_tflite
    from lambda_keras.zoo.models.source import find

    for option in ("data_dir", "calibration_images"):
        if getattr(options, option) is not None and not options.calibration:
            name = option.replace("_", "-")
            raise UserError(f"--{name} is for --calibration, which is missing; add it, or leave out --{name}")
    model, record = load_to_serve(find(options.model, options.weights), options.image_size, options.fuse)
    calibration = None
    if options.calibration:
        count = CALIBRATION_IMAGES if options.calibration_images is None else options.calibration_images
        calibration = load_calibration(options.calibration, model, count, record, options.data_dir)
    path = export_tflite(
        model,
        options.out,
        quantization=options.quantize,
        calibration=calibration,
        batch_size=options.batch,
        record=record,
    )
    print(f"wrote {path}")
    return 0


def _web(options: argparse.Namespace) -> int:
    from lambda_keras.export.web.page import write_web_page

    page = write_web_page(options.model, options.out)
    print(f"wrote {page}; to look at it: python -m http.server --directory {page}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from lambda_keras.export.checks.artifact import find_artifacts, in_runtimes
    from lambda_keras.export.checks.report import print_report
    from lambda_keras.export.checks.runner import load_original
    from lambda_keras.export.checks.verification import verify
    from lambda_keras.export.images.labelled import load_test_images
    from lambda_keras.zoo.models.source import find

    artifacts = find_artifacts(options.artifacts)
    artifacts += in_runtimes(artifacts, options.runtime)
    original, record = load_original(find(options.model, options.weights), options.image_size)
    data = load_test_images(options.data, original.model, record, options.data_dir)
    verification = verify(original, data, artifacts, record)
    print_report(original.name, len(data.images), artifacts, verification)
    return 0 if verification.passes(artifacts) else 1


def _benchmark(options: argparse.Namespace) -> int:
    from lambda_keras.export.checks.artifact import TFLITE, THREADS, find_artifacts
    from lambda_keras.export.checks.benchmark import benchmark, check_out, print_measurements, write_benchmark
    from lambda_keras.export.checks.runner import load_original
    from lambda_keras.zoo.models.source import find

    artifacts = find_artifacts(options.artifacts)
    if options.weights and not options.model:
        raise UserError("--weights is for --model, which is missing; add it, or leave out --weights")
    source = find(options.model, options.weights) if options.model else None
    check_out(options.out)
    original, _ = load_original(source, options.image_size) if source else (None, None)
    measurements = benchmark(artifacts, options.batch_sizes, options.image_size, original)
    print_measurements(measurements)
    if any(artifact.kind == TFLITE for artifact in artifacts):
        print(THREADS)
    write_benchmark(options.out, measurements)
    print(f"wrote benchmark.csv and benchmark.png to {options.out}")
    return 0


def _serve_check(options: argparse.Namespace) -> int:
    from lambda_keras.export.serving.check import serve_check
    from lambda_keras.export.serving.instructions import instructions
    from lambda_keras.export.serving.service import find_service

    service = find_service(options.folder, options.name, options.image)
    print(instructions(service))
    result = serve_check(service)
    print(f"# Checked here with {service.versions[-1]}, without TensorFlow Serving\n\n{result}")
    return 0 if result.agrees() else 1
