"""`lambda-zoo pseudo-label select`: labels in; the images to train on, and a report, out."""

import argparse

from lambda_keras.zoo.command_line import add_common_options, positive


def add_parser(actions: argparse._SubParsersAction) -> None:
    """Adds the action to what `add_subparsers` of the command's parser returned."""
    parser = actions.add_parser("select", help="choose the labelled images to train on, with a report")
    parser.add_argument("labels", metavar="LABELS", help="folder that `lambda-zoo pseudo-label` wrote")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write, for data.pseudo.folder")
    parser.add_argument("--data", metavar="DATA", help="where the images are now (default: where they were labelled)")
    parser.add_argument("--data-dir", help="the same of a dataset name")
    parser.add_argument(
        "--evaluation", metavar="DATA", help="as --data of pseudo-label: images of which no copy is to be trained on"
    )
    parser.add_argument("--evaluation-dir", metavar="FOLDER", help="of a dataset name: as --data-dir for train")
    parser.add_argument("--evaluation-split", metavar="SPLIT", help="of a dataset name: such as test")
    parser.add_argument(
        "--threshold", type=float, default=0.3, metavar="X", help="the lowest probability of a label (default: 0.3)"
    )
    parser.add_argument(
        "--per-class",
        type=positive,
        metavar="N",
        help="records of each class: the most probable ones, repeated if they are fewer (default: all, once)",
    )
    parser.add_argument("--shards", type=positive, default=16, metavar="N", help="how many files (default: 16)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn (default: 0)")
    add_common_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments):
    from lambda_keras.zoo.pseudo_labels.select import Settings, select
    from lambda_keras.zoo.pseudo_labels.source import Place

    evaluation = None
    if arguments.evaluation is not None:
        evaluation = Place(arguments.evaluation, arguments.evaluation_dir, arguments.evaluation_split)
    select(
        arguments.labels,
        arguments.out,
        Settings(arguments.threshold, arguments.per_class, arguments.seed),
        evaluation=evaluation,
        data=arguments.data,
        data_dir=arguments.data_dir,
        shards=arguments.shards,
    )
