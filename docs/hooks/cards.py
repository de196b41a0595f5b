"""A hook of MkDocs: the model cards, a page for each family, made of the catalog and the tables of results.

Nothing on them is written by hand except what a family is: parameters and multiply-adds come from
`benchmarks/results/models.csv`, the paper's figures from `zoo/results.csv`, weights from
`lambda_keras/weights/catalog.json`, recipes from `zoo/recipes`.
"""

import re

from mkdocs.structure.files import File

import lambda_keras as lk
from benchmarks.tables import ROOT
from benchmarks.timing import RESULTS, read
from lambda_keras.weights import catalog
from lambda_keras.zoo import recipe_file

# page: (pattern of the whole names of its models, title, what they are)
FAMILIES = {
    "lambda_resnet": (
        r"lambda_resnet\d+",
        "LambdaResNet",
        "The paper's family: lambda layers in all of c5 and at even distances in c4, squeeze-and-excitation in c2 and "
        "c3, the stem and the shortcuts of ResNet-RS.",
    ),
    "lambda_resnet_c4": (
        r"lambda_resnet\d+_c4",
        "LambdaResNet-C4",
        "The paper's forms with a lambda layer in every block of c4 and c5: fewer parameters than LambdaResNet.",
    ),
    "timm_lambda_resnet": (
        r"lambda_resnet(26t|26rpt_256|50ts)",
        "timm's lambda networks",
        "The lambda networks with published ImageNet weights. They are timm's configurations, not the paper's: a "
        "tiered stem, lambda layers in a few blocks, normalisation and activation after them.",
    ),
    "resnet_rs": (
        r"resnet_rs\d+(_no_se)?",
        "ResNet-RS",
        "The paper's baselines ([ResNet-RS](https://arxiv.org/abs/2103.07579)), with squeeze-and-excitation and "
        "without.",
    ),
    "resnet50_hybrids": (
        r"resnet50_[cl]{4}",
        "ResNet-50 hybrids",
        "ResNet-50 whose stages c2 to c5 have convolutions (c) or lambda layers (l) in the place of their 3×3 "
        "convolutions, the eight patterns that the paper compares. `resnet50_cccc` is ResNet-50.",
    ),
    "mobilenet_v2": (
        r"(lambda_)?mobilenet_v2",
        "MobileNetV2",
        "[MobileNetV2](https://arxiv.org/abs/1801.04381), and its form with light lambda blocks in the place of the "
        "10th and the 16th bottleneck.",
    ),
    "lambda_resnet_tiny": (
        r"lambda_resnet_tiny",
        "LambdaResNet-tiny",
        "A network of this project for 32×32 images, ten classes and quick work: small enough to train on a CPU.",
    ),
}


def on_files(files, config):
    """Adds the cards to the site's files."""
    for page in ("index", *FAMILIES):
        content = index() if page == "index" else card(page)
        files.append(File.generated(config, f"models/{page}.md", content=content))
    return files


def models_of(family):
    """Names of the models of a family, in the order of the registry."""
    return [name for name in lk.list_models() if re.fullmatch(FAMILIES[family][0], name)]


def index():
    """The page that lists the families, as Markdown."""
    rows = []
    for family, (_, title, _) in FAMILIES.items():
        records = _records(models_of(family))
        weights = ", ".join(f"`{record.name}`" for record in records) or "architecture only"
        rows.append((f"[{title}]({family}.md)", _code(models_of(family)), weights))
    return _join(
        "# Model cards",
        "A page for each family, made of the catalog of weights and the tables of results. Figures of the paper, those "
        "that were published with weights and those measured in this project have columns of their own.",
        _table(("family", "models", "weights"), rows),
    )


def card(family):
    """The page of a family, as Markdown.

    Args:
        family: A key of `FAMILIES`.
    """
    _, title, description = FAMILIES[family]
    models = models_of(family)
    return _join(
        f"# {title}",
        description,
        "## Models",
        _sizes(models),
        f'```python\nimport lambda_keras as lk\n\nmodel = lk.create_model("{models[0]}", input_shape=(64, 64, 3), '
        "classes=10)\n```",
        *_paper_figures(models),
        "## Weights",
        *_weights(models),
        *_recipes(models),
        "Licence of the code: Apache-2.0. Paper: [LambdaNetworks](https://arxiv.org/abs/2102.08602), Bello, ICLR 2021.",
    )


def _sizes(models):
    rows = []
    for row in read(RESULTS / "models.csv"):
        if row["model"] in models:
            parameters, multiply_adds = int(row["parameters"]), int(row["multiply_adds"]) / 1e9
            rows.append((f"`{row['model']}`", row["image_size"], f"{parameters:,}", f"{multiply_adds:.3g}"))
    return _table(("model", "image size", "trainable parameters", "multiply-adds (G)"), rows)


def _paper_figures(models):
    rows = [
        (f"`{row['model']}`", row["image_size"], row["paper_top1"] or "–", row["paper_top1_pseudo_labels"] or "–")
        for row in read(ROOT / "zoo" / "results.csv")
        if row["model"] in models
    ]
    if not rows:
        return []
    header = ("model", "image size", "top-1 in the paper (%)", "with pseudo-labels, in the paper (%)")
    return [
        "## The paper's figures",
        "On ImageNet, as printed in the paper. None was measured here, where nothing was trained on ImageNet; the "
        "pseudo-labels are of 130 M images that are not public.",
        _table(header, rows),
    ]


def _weights(models):
    records = _records(models)
    if not records:
        yield "Architecture only: there are no weights of these models that load by name."
    else:
        yield _metrics(records)
    for record in records:
        yield from _weights_card(record)
    sources = {model: lk.applications.get_config(model).warm_start for model in models}
    starts = [
        (f"`{model}`", _code(record.file for record in catalog.warm_starts(source)))
        for model, source in sources.items()
    ]
    if any(files for _, files in starts):
        yield (
            '`warm_start="resnet_rs"` fills what these models have in common with a ResNet-RS of the same depth, all '
            "but the lambda layers, from weights that Keras 2 published. That is no pretrained lambda model: see "
            "[Weights](../weights.md#a-warm-start-for-the-papers-models)."
        )
        yield _table(("model", "files for a warm start"), starts)


def _records(models):
    return [catalog.find(model, tag) for model in models for tag in catalog.tags(model)]


def _metrics(records):
    rows = []
    for record in records:
        for metric in record.metrics:
            # A figure whose source is a file of this project was measured here.
            published = "://" in metric.source
            value = f"{metric.value:g}"
            rows.append(
                (
                    f"`{record.name}`",
                    metric.name.replace("top", "top-"),
                    metric.evaluation_set,
                    metric.image_size,
                    value if published else "–",
                    "–" if published else value,
                    f"[page]({metric.source})" if published else f"`{metric.source}`",
                )
            )
    header = ("weights", "figure", "on", "image size", "as published (%)", "measured here (%)", "source")
    return _table(header, rows)


def _weights_card(record):
    """Heading, facts and code of one row of the catalog."""
    size = f"{record.bytes:,} bytes" if record.bytes else record.published_size or "size not published"
    place = "in this package" if record.is_in_package else f"downloaded from {record.repository or record.urls[0]}"
    only = " only" if record.fixed_image_size else ""
    channels = "1 channel" if record.channels == 1 else f"{record.channels} channels"
    facts = {
        "File": f"`{record.file}`, {size}, {place}",
        "Hash": f"{_hash(record)} {record.hash_source}",
        "Licence": record.license,
        "Source": f"<{record.source}>" if "://" in record.source else f"`{record.source}`",
        "Trained on": f"{record.dataset}, {record.classes} classes",
        "Images": f"{record.image_size}×{record.image_size}{only}, {channels}",
        "Resizing": f"{record.interpolation}; the evaluation crops {record.evaluation_crop:g} of the side",
        "Mean and standard deviation": f"{_numbers(record.mean)} and {_numbers(record.std)}, on the scale 0 to 1",
    }
    if record.class_names:
        facts["Classes"] = ", ".join(record.class_names)
    yield f"### {record.name}"
    yield "\n".join(f"* **{name}**: {fact}" for name, fact in facts.items())
    # The tests run what needs no network.
    kind, prompt = ("python", "") if record.is_in_package else ("pycon", ">>> ")
    code = (
        "import lambda_keras as lk",
        f'model = lk.create_model("{record.model}", weights="{record.tag}")',
        f'preprocessor = lk.applications.preprocessor_of("{record.name}")',
    )
    yield "\n".join((f"```{kind}", *(prompt + line for line in code), "```"))


def _hash(record):
    for kind in ("sha256", "md5"):
        if getattr(record, kind):
            return f"{kind} `{getattr(record, kind)}`."
    return "Not in the catalog."


def _recipes(models):
    recipes = {name: recipe_file.load(name) for name in recipe_file.packaged()}
    rows = [
        (f"`lambda-zoo train --recipe {name}`", f"`{recipe.model.name}`", recipe.data.image_size, recipe.data.name)
        for name, recipe in recipes.items()
        if recipe.model.name in models
    ]
    if not rows:
        return []
    return ["## Recipes", _table(("command", "model", "image size", "dataset"), rows)]


def _code(names):
    return ", ".join(f"`{name}`" for name in names)


def _numbers(values):
    return ", ".join(f"{value:g}" for value in values)


def _table(header, rows):
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _join(*paragraphs):
    return "\n\n".join(paragraphs) + "\n"
