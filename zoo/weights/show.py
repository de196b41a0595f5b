"""`lambda-zoo weights show`: all that is known of published weights, or all that is in a file."""

import dataclasses
from pathlib import Path

from lambda_keras.weights import pretrained
from lambda_keras.weights.reference import Folder, Hub, Tag
from lambda_keras.zoo.command_line import print_table, say
from lambda_keras.zoo.errors import UserError, errors_of_weights
from lambda_keras.zoo.models import model_source
from lambda_keras.zoo.weights import contents, rows


def show(source: str | Path) -> None:
    """Prints a row of the catalog, or what is in a file or in a folder.

    Args:
        source: `model.tag` or `model`, a folder of `save_pretrained`, or a file of weights.

    Raises:
        UserError: There is no such thing, or it is damaged.
    """
    match model_source.parse(source):
        case Tag() as name:
            _show_record(rows.find(name))
        case Folder() as folder:
            with errors_of_weights():
                preprocessor, class_names = pretrained.read_preprocessor(folder)
                weights = pretrained.weights_file(folder)
            _print_facts(dataclasses.asdict(preprocessor) | {"classes": ", ".join(class_names or ("no names",))})
            _show_file(weights)
        case Hub():
            raise UserError(rows.NOT_HERE.format(source=source))
        case file:
            _show_file(file.path)


def _show_record(record):
    size = f"{record.bytes:,} bytes" if record.bytes else record.published_size or "not published"
    fixed = ", no other" if record.fixed_image_size else ""
    facts = {
        "name": record.name,
        "format": record.format,
        "file": _place(record),
        "size": size,
        "hash": rows.describe_hash(record),
        "licence": record.license,
        "source": record.source,
        "dataset": f"{record.dataset}, {record.classes} classes",
        "classes": ", ".join(record.class_names or ("WordNet's identifiers",)),
        "images": f"{record.image_size}×{record.image_size}{fixed}, {record.channels} channels",
        "crop": record.evaluation_crop or "not published",
        "interpolation": record.interpolation or "not published",
        "mean": record.mean,
        "std": record.std,
    }
    for metric in record.metrics:
        facts[metric.name] = f"{metric.value:g} % on {metric.evaluation_set} at {metric.image_size} ({metric.source})"
    _print_facts(facts)


def _place(record):
    if record.is_in_package:
        return f"{record.file}, came with lambda_keras"
    if record.repository:
        return f"https://huggingface.co/{record.repository}/blob/{record.revision}/{record.file}"
    return ", ".join(record.urls)


def _show_file(path):
    found = contents.read(path)
    parameters = sum(tensor.size for tensor in found.tensors.values())
    _print_facts({"file": path, "format": found.format, "tensors": len(found.tensors), "values": f"{parameters:,}"})
    print()
    lines = [(name, str(list(tensor.shape)), str(tensor.dtype)) for name, tensor in found.tensors.items()]
    print_table(("tensor", "shape", "type"), lines)


def _print_facts(facts):
    width = max(map(len, facts))
    for name, fact in facts.items():
        say(f"{name:<{width}}  {fact}")
