"""`lambda-zoo pseudo-label`: a teacher labels images; its action `select` is a file beside this one."""

import argparse

from lambda_keras.zoo.command_line import MOST_DIGITS, add_common_options, add_most_pixels, positive
from lambda_keras.zoo.commands import pseudo_label_select

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
        default=(0, 1),
        metavar="I/N",
        help="every N-th shard from I on, which is 0 to N-1",
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
        from lambda_keras.zoo.errors import UserError

        raise UserError(
            f"the following arguments are required: {', '.join(missing)} (see lambda-zoo pseudo-label --help)"
        )
    from lambda_keras.zoo.pseudo_labels.labelling import pseudo_label
    from lambda_keras.zoo.pseudo_labels.source import Place

    job, jobs = arguments.shard
    pseudo_label(
        arguments.teacher,
        Place(arguments.data, arguments.data_dir, arguments.split),
        arguments.out,
        weights=arguments.weights,
        job=job,
        jobs=jobs,
        top=arguments.top,
        images_per_shard=arguments.images_per_shard,
        batch_size=arguments.batch_size,
        most_pixels=arguments.most_pixels,
    )
