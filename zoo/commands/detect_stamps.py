"""`lambda-zoo detect stamps`: pictures composed from the stamps of Tux Paint, to try a detector with."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, narrate, positive


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the command to what `add_subparsers` of the program's parser returned."""
    parser = commands.add_parser(
        "stamps", help="compose pictures with objects from stamps (GPL-2; of Debian's tuxpaint-stamps-default)"
    )
    parser.add_argument(
        "--stamps",
        default="/usr/share/tuxpaint/stamps",
        metavar="FOLDER",
        help="where they are (default: where the package has them)",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="new or empty folder to write")
    parser.add_argument("--train", type=positive, default=2000, metavar="N", help="pictures (default: 2,000)")
    parser.add_argument("--val", type=positive, default=200, metavar="N", help="pictures (default: 200)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn (default: 0)")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.detection.data.stamps import compose

    compose(
        arguments.stamps,
        arguments.out,
        train_pictures=arguments.train,
        val_pictures=arguments.val,
        seed=arguments.seed,
    )
    narrate(
        f"Wrote {arguments.out}: {arguments.train:,} pictures to train on, {arguments.val:,} to evaluate with; GPL-2"
    )
