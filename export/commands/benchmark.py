"""`lambda-export benchmark`: how long artifacts take, by the size of a batch."""

import argparse
from pathlib import Path

from lambda_keras.export.commands.options import add_artifacts, add_model
from lambda_keras.zoo.command_line import add_common_options, positive, say
from lambda_keras.zoo.errors import UserError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("benchmark", help="measure artifacts by batch size, with a plot")
    add_model(parser, required=False)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets benchmark.csv and benchmark.png")
    parser.add_argument(
        "--batch-sizes",
        type=_numbers,
        default=(1, 2, 4, 8, 16),
        metavar="N,N,…",
        help="images in a batch (default: 1,2,4,8,16)",
    )
    parser.add_argument(
        "--clients",
        type=_numbers,
        metavar="N,N,…",
        help="let so many clients ask each SavedModel at the same time, without and with batches of their requests",
    )
    parser.add_argument("--image-size", type=positive, metavar="N", help="side in pixels, of artifacts that take any")
    add_artifacts(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({positive(part) for part in text.split(",")}))


def _run(options: argparse.Namespace) -> int:
    from lambda_keras.export.checks.artifact import TFLITE, THREADS, find_artifacts, refuse_pictures
    from lambda_keras.export.checks.benchmark import benchmark, check_out, print_measurements, write_benchmark
    from lambda_keras.export.checks.concurrency import (
        ask_together,
        print_concurrency,
        servable,
        write_concurrency,
    )
    from lambda_keras.export.checks.runner import load_original
    from lambda_keras.zoo.models.model_source import find

    artifacts = find_artifacts(options.artifacts)
    refuse_pictures(artifacts)
    for artifact in artifacts:
        if artifact.is_detector:
            raise UserError(
                f"{artifact} is a detector, whose time depends on what a picture shows; `lambda-export verify` "
                "measures it with pictures"
            )
    if options.weights and not options.model:
        raise UserError("--weights is for --model, which is missing; add it, or leave out --weights")
    served = servable(artifacts) if options.clients else []
    source = find(options.model, options.weights) if options.model else None
    check_out(options.out)
    original, _ = load_original(source, options.image_size) if source else (None, None)
    measurements = benchmark(artifacts, options.batch_sizes, options.image_size, original)
    print_measurements(measurements)
    if any(artifact.kind == TFLITE for artifact in artifacts):
        print(THREADS)
    write_benchmark(options.out, measurements)
    say(f"wrote benchmark.csv and benchmark.png to {options.out}")
    if options.clients:
        rows = ask_together(served, options.clients, options.image_size)
        print_concurrency(rows)
        write_concurrency(options.out, rows)
        say(f"wrote clients.csv and clients.png to {options.out}")
    return 0
