import pathlib

import pytest

import lambda_keras as lk
from lambda_keras.weights import catalog
from lambda_keras.weights.errors import WeightsError

RECORDS = catalog.records()
TIMM = ("lambda_resnet26t", "lambda_resnet26rpt_256", "lambda_resnet50ts")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_every_row(record):
    """Said here once more, independently of the checks of the reader."""
    assert record.model in lk.list_models()
    assert record.sha256 is None or (len(record.sha256) == 64 and int(record.sha256, 16))
    assert record.md5 is None or (len(record.md5) == 32 and int(record.md5, 16))
    assert record.repository or record.sha256 or record.md5
    assert not (record.repository and record.urls)
    assert record.sha256 or record.md5 or "the Hub's own sha256" in record.hash_source
    assert record.license == "Apache-2.0"
    assert all(metric.evaluation_set for metric in record.metrics)
    if record.is_in_package:
        pages = (record.source, *(metric.source for metric in record.metrics))
        assert all((pathlib.Path(__file__).parents[3] / page).is_file() for page in pages)
        return
    assert all(metric.source.startswith("https://") for metric in record.metrics)
    assert (record.mean, record.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (record.classes, record.channels, record.class_names) == (1000, 3, None)
    assert all(url.endswith("/" + record.file) for url in record.urls)


def test_rows_of_timm():
    records = [catalog.find(model, "imagenet") for model in TIMM]
    assert [record.repository for record in records] == [f"timm/{record.name}" for record in records]
    assert [record.evaluation_crop for record in records] == [0.94, 0.94, 0.95]
    assert [record.metrics[0].value for record in records] == [79.126, 78.96, 81.184]
    assert [record.fixed_image_size for record in records] == [False, True, False]
    assert {record.preprocessor.image_size for record in records} == {256}


def test_the_row_of_a_repository_and_whether_its_hash_is_of_a_revision():
    record = catalog.of_repository("timm/lambda_resnet26t.c1_in1k")
    assert record == catalog.find("lambda_resnet26t", "c1_in1k")
    assert record.is_of_revision(None)
    assert record.is_of_revision(record.revision)
    assert not record.is_of_revision("v2")
    assert catalog.of_repository("some/repository") is None


@pytest.mark.backends
@pytest.mark.parametrize("depth", [50, 101, 152, 200, 270, 350, 420])
def test_rows_of_resnet_rs_are_those_of_keras_2(depth):
    resnet_rs = pytest.importorskip("tf_keras.src.applications.resnet_rs")
    records = catalog.warm_starts(f"resnet_rs{depth}")
    assert [record.image_size for record in records] == resnet_rs.DEPTH_TO_WEIGHT_VARIANTS[depth]
    for record in records:
        assert record.md5 == resnet_rs.WEIGHT_HASHES[record.file]
        assert record.urls == (resnet_rs.BASE_WEIGHTS_URL + record.file,)


def test_tags_and_names():
    assert catalog.tags("lambda_resnet50ts") == ("a1h_in1k",)
    record = catalog.find("lambda_resnet50ts", "a1h_in1k")
    assert record == catalog.find("lambda_resnet50ts", "imagenet")
    assert record.name == "lambda_resnet50ts.a1h_in1k"


@pytest.mark.parametrize("model", ["lambda_resnet50", "resnet_rs50", "lambda_mobilenet_v2"])
def test_architectures_without_weights(model):
    assert catalog.tags(model) == ()
    with pytest.raises(WeightsError, match=f"{model} is an architecture only: .* Models with weights: .*{TIMM[0]}"):
        catalog.find(model, "imagenet")


def test_an_unknown_tag():
    with pytest.raises(WeightsError, match=r"lambda_resnet26t has no weights 'a1h'. There are: imagenet, c1_in1k"):
        catalog.find("lambda_resnet26t", "a1h")


@pytest.mark.parametrize("model", ["lambda_resnet152", "lambda_resnet152_c4", "resnet_rs152", "resnet_rs152_no_se"])
def test_warm_starts_by_depth(model):
    names = [record.name for record in catalog.warm_starts(lk.applications.get_config(model).warm_start)]
    assert names == ["resnet_rs152.i192", "resnet_rs152.i224", "resnet_rs152.i256"]


def test_a_warm_start_is_of_as_many_blocks():
    """What a model's configuration names has the stem and the blocks of that model."""
    for model in lk.list_models():
        config = lk.applications.get_config(model)
        rows = catalog.warm_starts(config.warm_start)
        assert bool(rows) == (getattr(config, "stem", None) == "resnet_rs")
        assert {row.blocks for row in rows} <= {getattr(config, "blocks", None)}


@pytest.mark.parametrize("model", [*TIMM, "resnet50_llll", "lambda_resnet_tiny", "lambda_mobilenet_v2"])
def test_models_that_are_no_resnet_rs_have_no_warm_starts(model):
    assert catalog.warm_starts(lk.applications.get_config(model).warm_start) == ()


def test_a_warm_start_has_no_preprocessor():
    with pytest.raises(WeightsError, match="evaluation_crop"):
        catalog.warm_starts("resnet_rs50")[0].preprocessor  # noqa: B018
