import dataclasses
import re

import pytest

pytest.importorskip("mkdocs", reason='the hooks of the site need the extra "docs"')

import lambda_keras as lk
from docs.hooks import cards
from lambda_keras.weights import catalog


@pytest.fixture
def shipped(monkeypatch):
    """A catalog in which lambda_resnet_tiny has weights that came with the package."""
    metric = dataclasses.replace(
        catalog.find("lambda_resnet50ts", "imagenet").metrics[0],
        value=98.7,
        evaluation_set="digits test",
        source="zoo/results.csv",
    )
    record = dataclasses.replace(
        catalog.find("lambda_resnet50ts", "imagenet"),
        model="lambda_resnet_tiny",
        tag="digits",
        format="lambda_keras",
        repository=None,
        revision=None,
        file="digits.safetensors",
        bytes=260_000,
        source="docs/weights.md",
        dataset="digits",
        classes=10,
        class_names=tuple("0123456789"),
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        metrics=(metric,),
    )
    monkeypatch.setattr(catalog, "records", lambda: (record,))


def cells(page, first):
    """The cells of the table row that starts with a cell."""
    row = next(line for line in page.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_each_model_is_in_one_family():
    assert sorted(name for family in cards.FAMILIES for name in cards.models_of(family)) == sorted(lk.list_models())


def test_figures_of_the_paper_stand_in_columns_of_their_own():
    page = cards.card("lambda_resnet")
    assert "| model | image size | top-1 in the paper (%) | with pseudo-labels, in the paper (%) |" in page
    assert cells(page, "`lambda_resnet152`") == ["`lambda_resnet152`", "224", "51,398,552", "11.2"]
    assert "| `lambda_resnet152` | 224 | 83.2 | 86.5 |" in page
    assert "| `lambda_resnet152` | 288 | – | 86.7 |" in page


def test_models_without_weights_say_so_and_name_their_warm_starts_and_recipes():
    page = cards.card("lambda_resnet")
    assert "Architecture only" in page
    assert "| `lambda_resnet101` | `resnet-rs-101-i160.h5`, `resnet-rs-101-i192.h5` |" in page
    assert "| `lambda-zoo train --recipe lambda_resnet152_224` | `lambda_resnet152` | 224 | imagenet2012 |" in page
    assert "warm_start" not in cards.card("mobilenet_v2")


def test_published_weights_have_their_source_hash_and_preprocessing():
    page = cards.card("timm_lambda_resnet")
    assert cells(page, "`lambda_resnet50ts.a1h_in1k`")[4:6] == ["81.184", "–"]
    section = page.partition("### lambda_resnet50ts.a1h_in1k")[2]
    for fact in ("86.4 MB", "bcb80eaa77910c72", "Apache-2.0", "bicubic", "0.95", "0.485, 0.456, 0.406", "256×256"):
        assert fact in section
    assert "256×256 only" in page.partition("### lambda_resnet26rpt_256")[2]


@pytest.mark.usefixtures("shipped")
def test_weights_of_this_package_were_measured_here():
    page = cards.card("lambda_resnet_tiny")
    assert cells(page, "`lambda_resnet_tiny.digits`")[4:] == ["–", "98.7", "`zoo/results.csv`"]
    section = page.partition("### lambda_resnet_tiny.digits")[2]
    for fact in ("260,000 bytes, in this package", "`docs/weights.md`", "0, 1, 2, 3", "1 channel\n", "```python"):
        assert fact in section
    assert "`lambda_resnet_tiny.digits`" in cards.index()


@pytest.mark.parametrize("family", cards.FAMILIES)
def test_python_blocks_run(family):
    for block in re.findall(r"```python\n(.*?)```", cards.card(family), re.DOTALL):
        exec(compile(block, family, "exec"), {})
