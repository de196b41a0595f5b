"""The command `lambda-zoo`."""

import argparse
import dataclasses
import json
import logging
import os
from pathlib import Path

from lambda_keras.zoo.command_line import Parser, print_table, run
from lambda_keras.zoo.weights import command as weights_command


def main(argv=None):
    """Runs one command of `lambda-zoo`.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit status: 0; 1 where `weights verify` found bad weights; 2 after a line on stderr about what the user can
        put right; 75 where the same command goes on with a training that was stopped.

    Example:
        >>> status = main(["recipes"])
    """

    def command():
        arguments = _parse(argv)
        _quiet_tensorflow()
        return arguments.run(arguments)

    return run("lambda-zoo", command)


def _parse(argv):
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    # argparse takes only the first group of key=value arguments; an option may stand between two groups.
    if hasattr(arguments, "overrides"):
        arguments.overrides += [other for other in others if not other.startswith("-")]
        others = [other for other in others if other.startswith("-")]
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return arguments


def _parser():
    parser = Parser(prog="lambda-zoo", description="Trains lambda networks from recipes, evaluates them, predicts.")
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train a recipe's model and evaluate it on the test split")
    train.add_argument("--recipe", required=True, help="name from `lambda-zoo recipes`, or path of a .yaml file")
    train.add_argument("--out", help="folder to write (default: runs/<recipe>); goes on with the run that it holds")
    train.add_argument("--data-dir", help="folder of the images or of prepared TensorFlow Datasets (digits needs none)")
    train.add_argument("--strategy", default="default", help="default, mirrored, multi_worker or tpu")
    train.add_argument("--tpu", help="with --strategy tpu: name or address of the TPU, or local")
    train.add_argument("--overwrite", action="store_true", help="remove the run that the folder holds, start anew")
    train.add_argument("--dry-run", action="store_true", help="tell size, steps and memory of the training, and end")
    train.add_argument("--replicas", type=int, default=1, help="with --dry-run: devices to share a batch (default: 1)")
    train.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.epochs=3")
    train.set_defaults(run=_train)

    _add_fine_tune(commands)

    evaluate = commands.add_parser("evaluate", help="measure a saved model on a dataset")
    _add_model(evaluate)
    evaluate.add_argument("--data-dir", help="folder of the images or of prepared TensorFlow Datasets, as for train")
    evaluate.add_argument("--dataset", metavar="NAME", help="other images of the same classes (default: as trained)")
    evaluate.add_argument("--split", choices=("train", "validation", "test"), default="test", help="(default: test)")
    evaluate.add_argument("--image-size", type=int, metavar="N", help="side in pixels (default: as trained)")
    evaluate.add_argument("--evaluation-crop", type=float, metavar="X", help="share of the side (default: as trained)")
    evaluate.add_argument("--batch-size", type=int, default=64, metavar="N", help="images at a time (default: 64)")
    evaluate.add_argument("--out", metavar="FOLDER", help="folder to write (default: evaluation/ beside the model)")
    evaluate.set_defaults(run=_evaluate)

    prediction = commands.add_parser("predict", help="name what is on images")
    _add_model(prediction)
    prediction.add_argument("images", nargs="+", metavar="IMAGE", help="JPEG, PNG, BMP or GIF file")
    prediction.add_argument("--top", type=int, default=5, metavar="N", help="classes for each image (default: 5)")
    prediction.add_argument("--json", action="store_true", help="print JSON instead of a table")
    prediction.set_defaults(run=_predict)

    explain = commands.add_parser("explain", help="draw what a lambda layer sees in images")
    _add_model(explain)
    explain.add_argument("images", nargs="+", metavar="IMAGE", help="JPEG, PNG, BMP or GIF file")
    explain.add_argument("--layer", metavar="NAME", help="a lambda layer (default: the last one)")
    explain.add_argument("--query", type=_position, metavar="Y,X", help="position in its map (default: five places)")
    explain.add_argument("--class", dest="class_name", metavar="NAME", help="of Grad-CAM (default: the most probable)")
    explain.add_argument("--out", default="explanation.png", metavar="FILE", help="file (default: explanation.png)")
    explain.set_defaults(run=_explain)

    inspect_data = commands.add_parser("inspect-data", help="tell what a recipe's data are, draw training images")
    inspect_data.add_argument("--recipe", required=True, help="as for train")
    inspect_data.add_argument("--data-dir", help="as for train")
    inspect_data.add_argument("--out", default="data.png", metavar="FILE", help="file to write (default: data.png)")
    inspect_data.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.randaugment_layers=2")
    inspect_data.set_defaults(run=_inspect_data)

    write_images = commands.add_parser("write-images", help="write a dataset as a folder of PNG files for each class")
    write_images.add_argument("--dataset", required=True, metavar="NAME", help="digits, fashion_mnist, …")
    write_images.add_argument("--data-dir", help="as for train")
    write_images.add_argument("--out", required=True, metavar="FOLDER", help="new or empty folder to write")
    write_images.set_defaults(run=_write_images)

    recipes = commands.add_parser("recipes", help="list the recipes")
    recipes.set_defaults(run=_recipes)

    models = commands.add_parser("models", help="list the models and the weights that there are of them")
    models.add_argument("pattern", nargs="?", default="*", help="such as 'lambda_*' (default: all)")
    models.add_argument("--pretrained", action="store_true", help="only models with published weights")
    models.set_defaults(run=_models)

    weights_command.add_parser(commands)
    return parser


def _add_fine_tune(commands):
    parser = commands.add_parser(
        "fine-tune", help="train a model with known weights on your own pictures, with a report"
    )
    parser.add_argument(
        "--data", required=True, help="folder of class folders, CSV (path, label, split), or dataset name"
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="a name of `lambda-zoo models`")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write; goes on with the run it holds")
    parser.add_argument(
        "--weights", help="to start from: a tag, a path, hf://owner/repository, or none for random (default: imagenet)"
    )
    parser.add_argument(
        "--warm-start", choices=("resnet_rs",), help="instead of --weights: ResNet-RS of the same depth"
    )
    parser.add_argument("--data-dir", help="of a dataset name: as for train")
    parser.add_argument("--class-weights", action="store_true", help="let all classes count alike in the loss")
    parser.add_argument("--head-epochs", type=int, metavar="N", help="epochs of the classifier alone, 0 for none")
    parser.add_argument("--epochs", type=int, metavar="N", help="epochs of all layers (default: by number of images)")
    parser.add_argument("--budget", type=float, metavar="MINUTES", help="take so few epochs that they fit this time")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of split and training (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="remove the run that the folder holds, start anew")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.horizontal_flip=false")
    parser.set_defaults(run=_fine_tune)


def _add_model(parser):
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a run or of save_pretrained, .keras file with record.json beside it, "
        "hf://owner/repository[@revision], or a name of `lambda-zoo models`, such as lambda_resnet50ts",
    )
    parser.add_argument("--weights", metavar="WEIGHTS", help="of a model that is a name: a tag, a path or hf://…")


def _position(text):
    try:
        y, x = map(int, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected two integers such as 4,4, got {text}") from error
    return y, x


def _train(arguments):
    from lambda_keras.zoo import recipe_file

    recipe = recipe_file.load(arguments.recipe, arguments.overrides)
    if arguments.dry_run:
        from lambda_keras.zoo.training.dry_run import dry_run

        print(dry_run(recipe, arguments.data_dir, arguments.replicas))
        return
    # The strategy of several machines must be there before TensorFlow does anything else.
    from lambda_keras.zoo.training import strategy

    distribution = strategy.create(arguments.strategy, arguments.tpu)
    from lambda_keras.zoo.training.run import train

    out = arguments.out or Path("runs", Path(arguments.recipe).stem)
    train(recipe, out, arguments.data_dir, distribution, overwrite=arguments.overwrite)


def _fine_tune(arguments):
    from lambda_keras.zoo.fine_tuning.run import Settings, fine_tune

    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(Settings)}
    fine_tune(Settings(**{**values, "overrides": tuple(arguments.overrides)}))


def _evaluate(arguments):
    from lambda_keras.zoo.evaluation.run import evaluate

    evaluate(
        arguments.model,
        data_dir=arguments.data_dir,
        dataset=arguments.dataset,
        split=arguments.split,
        image_size=arguments.image_size,
        evaluation_crop=arguments.evaluation_crop,
        batch_size=arguments.batch_size,
        out=arguments.out,
        weights=arguments.weights,
    )


def _predict(arguments):
    from lambda_keras.zoo.evaluation import prediction

    predictions = prediction.predict(arguments.model, arguments.images, arguments.top, arguments.weights)
    if arguments.json:
        print(json.dumps(predictions, indent=2, ensure_ascii=False))
    else:
        prediction.print_predictions(predictions)


def _explain(arguments):
    from lambda_keras.zoo.explaining.explanation import explain

    explain(
        arguments.model,
        arguments.images,
        layer=arguments.layer,
        query=arguments.query,
        class_name=arguments.class_name,
        out=arguments.out,
        weights=arguments.weights,
    )


def _inspect_data(arguments):
    from lambda_keras.zoo import recipe_file

    recipe = recipe_file.load(arguments.recipe, arguments.overrides)
    from lambda_keras.zoo.data.inspection import inspect_data

    inspect_data(recipe, arguments.out, arguments.data_dir)


def _write_images(arguments):
    from lambda_keras.zoo.data.class_folders import write_images

    write_images(arguments.dataset, arguments.out, arguments.data_dir)


def _recipes(arguments):
    from lambda_keras.zoo import recipe_file

    rows = []
    for name in recipe_file.packaged():
        recipe = recipe_file.load(name)
        size, accuracy = str(recipe.data.image_size), recipe_file.expected_accuracy(name)
        rows.append((name, recipe.model.name, size, recipe.data.name, accuracy))
    print_table(("recipe", "model", "image size", "dataset", "expected test accuracy"), rows, right=(2,))


def _models(arguments):
    from lambda_keras.zoo.weights import models_table

    models_table.print_models(arguments.pattern, arguments.pretrained)


def _quiet_tensorflow():
    """Leaves TensorFlow's remarks about the machine out of the terminal, unless the user asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    logging.getLogger("absl").setLevel(logging.ERROR)
