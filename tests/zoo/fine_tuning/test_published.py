import pytest
from huggingface_hub import constants

from lambda_keras.zoo.cli import main
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.fine_tuning import published
from lambda_keras.zoo.fine_tuning.settings import Settings

NOT_HERE = "There is no verified model.safetensors of timm/lambda_resnet50ts.a1h_in1k"


def fetch_published(model, weights=None, warm_start=None):
    settings = Settings("pictures", model, "out", weights=weights, warm_start=warm_start)
    published.fetch_published(settings.start_reference)


@pytest.fixture
def _no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")


@pytest.mark.usefixtures("_no_network")
def test_without_a_network_it_ends_before_the_data_are_looked_at(capsys):
    """The default is ImageNet's weights."""
    for options in ([], ["--weights", "imagenet"], ["--weights", "hf://timm/lambda_resnet50ts.a1h_in1k"]):
        arguments = ["fine-tune", "--data", "nowhere", "--model", "lambda_resnet50ts", "--out", "out", *options]
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith(f"lambda-zoo: {NOT_HERE}")
    with pytest.raises(UserError, match=r"There is no verified config.json of some/repository"):
        fetch_published("lambda_resnet_tiny", "hf://some/repository")


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(
    ("model", "weights", "warm_start"),
    [
        ("lambda_resnet_tiny", "none", None),
        ("lambda_resnet_tiny", "digits", None),
        ("lambda_resnet_tiny", "a/path.weights.h5", None),
        ("lambda_resnet50", None, "resnet_rs"),
        ("no_such_model", None, None),
    ],
)
def test_what_is_not_on_a_server_is_left_alone(model, weights, warm_start):
    fetch_published(model, weights, warm_start)


@pytest.mark.usefixtures("hub")
def test_what_is_here_is_not_fetched():
    for weights in (None, "c1_in1k", "hf://timm/lambda_resnet26t.c1_in1k"):
        fetch_published("lambda_resnet26t", weights)


def test_unknown_weights_are_refused():
    with pytest.raises(UserError, match=r"lambda_resnet26t has no weights 'c2_in1k'. There are: imagenet, c1_in1k"):
        fetch_published("lambda_resnet26t", "c2_in1k")


SCRIPT = """
import sys
sys.argv[0] = "lambda-zoo"
from lambda_keras.zoo.cli import main
assert main(["fine-tune", "--data", "nowhere", "--model", "lambda_resnet50ts", "--out", "out"]) == 2
assert main(["predict", "nowhere", "no.png"]) == 2
print({"keras", "tensorflow", "numpy"} & sys.modules.keys())
"""


def test_neither_keras_nor_tensorflow_is_imported_before(run_python, tmp_path):
    cold = run_python(SCRIPT, cold=True, LAMBDA_KERAS_OFFLINE="1", HF_HUB_CACHE=str(tmp_path))
    assert cold == "set()\n"
