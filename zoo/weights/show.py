"""`lambda-zoo weights show`: all that is known of published weights, or all that is in a file."""

import dataclasses
from pathlib import Path

from lambda_keras.weights import pretrained
from lambda_keras.zoo.command_line import print_table
from lambda_keras.zoo.errors import errors_of_weights
from lambda_keras.zoo.weights import contents
from lambda_keras.zoo.weights.fetch import describe_hash
from lambda_keras.zoo.weights.names import find_record, is_name


def show(source):
    """Prints a row of the catalog, or what is in a file or in a folder.

    Args:
        source: What `lambda_keras.zoo.weights.names.find_record` takes, a folder of `save_pretrained`, or a file of
            weights.

    Raises:
        UserError: There is no such thing, or it is damaged.
    """
    if is_name(source):
        _show_record(find_record(source))
    elif Path(source).is_dir():
        with errors_of_weights():
            preprocessor, class_names = pretrained.read_preprocessor(source)
            weights = pretrained.weights_file(source)
        _print_facts(dataclasses.asdict(preprocessor) | {"classes": ", ".join(class_names or ("no names",))})
        _show_file(weights)
    else:
        _show_file(Path(source))


def _show_record(record):
    size = f"{record.bytes:,} bytes" if record.bytes else record.published_size or "not published"
    fixed = ", no other" if record.fixed_image_size else ""
    facts = {
        "name": record.name,
        "format": record.format,
        "file": _place(record),
        "size": size,
        "hash": describe_hash(record),
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
    rows = [(name, str(list(tensor.shape)), str(tensor.dtype)) for name, tensor in found.tensors.items()]
    print_table(("tensor", "shape", "type"), rows)


def _print_facts(facts):
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:<{width}}  {fact}")
