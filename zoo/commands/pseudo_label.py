"""`lambda-zoo pseudo-label`: a teacher labels images; its action `select` is a file beside this one."""

import argparse

from lambda_keras.zoo.command_line import MOST_DIGITS, add_common_options, add_most_pixels, positive
from lambda_keras.zoo.commands import pseudo_label_select
from lambda_keras.zoo.errors import UserError

REQUIRED = ("teacher", "data", "out")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser("pseudo-label", help="let a teacher label images that have no labels; choose of them")
    parser.add_argument(
        "--teacher",
        metavar="MODEL",
        help="(required) as MODEL of predict; a folder of `lambda-export saved-model`; or keras.applications:NAME",
    )
    parser.add_argument("--weights", metavar="WEIGHTS", help="of a teacher that is a name: a tag, a path or hf://…")
    parser.add_argument(
        "--data", metavar="DATA", help="(required) folder of pictures or of TFRecord files, or dataset name"
    )
    parser.add_argument("--data-dir", help="of a dataset name: as for train")
    parser.add_argument("--split", metavar="SPLIT", help="of a dataset name: such as unlabelled (default: train)")
    parser.add_argument("--out", metavar="FOLDER", help="(required) folder of the labels; resumes what it holds")
    parser.add_argument(
        "--shard",
        type=_share,
        metavar="I/N",
        help="every N-th shard from I on, which is 0 to N-1 (default: all)",
    )
    parser.add_argument(
        "--runner",
        metavar="RUNNER",
        help="label all as a pipeline of Apache Beam: DirectRunner, DataflowRunner, FlinkRunner, SparkRunner, …",
    )
    parser.add_argument(
        "--runner-option",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="an option of the pipeline, such as project=birds; may be given several times",
    )
    parser.add_argument("--top", type=positive, default=10, metavar="K", help="classes of a label (default: 10)")
    parser.add_argument(
        "--images-per-shard", type=positive, default=1000, metavar="N", help="of a folder of pictures (default: 1,000)"
    )
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="images at a time (default: 64)")
    add_most_pixels(parser)
    add_common_options(parser)
    parser.set_defaults(run=_run)
    actions = parser.add_subparsers(metavar="action")
    pseudo_label_select.add_parser(actions)


def _share(text):
    job, _, jobs = text.partition("/")
    is_share = all(part.isdecimal() and len(part) <= MOST_DIGITS for part in (job, jobs)) and int(job) < int(jobs)
    if not is_share:
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N-1, such as 0/8, got {text!r}")
    return int(job), int(jobs)


def _run(arguments):
    # Not `required` of argparse: `pseudo-label select` has none of them.
    if missing := [f"--{name}" for name in REQUIRED if getattr(arguments, name) is None]:
        raise UserError(
            f"the following arguments are required: {', '.join(missing)} (see lambda-zoo pseudo-label --help)"
        )
    from lambda_keras.zoo.pseudo_labels.labelling import Settings, pseudo_label
    from lambda_keras.zoo.pseudo_labels.source import Place

    settings = Settings(
        arguments.teacher,
        Place(arguments.data, arguments.data_dir, arguments.split),
        arguments.out,
        weights=arguments.weights,
        top=arguments.top,
        images_per_shard=arguments.images_per_shard,
        batch_size=arguments.batch_size,
        most_pixels=arguments.most_pixels,
    )
    if arguments.runner is None:
        if arguments.runner_option:
            raise UserError("--runner-option is for a pipeline; name its runner with --runner")
        pseudo_label(settings, *(arguments.shard or (0, 1)))
        return
    if arguments.shard:
        raise UserError("--runner shares the work itself; leave --shard out")
    from lambda_keras.zoo.pseudo_labels.beam import run

    run(settings, arguments.runner, arguments.runner_option)
