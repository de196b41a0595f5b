"""Every command with values that nobody means: a line and status 2, or the command's own result; no traceback."""

import contextlib
import io
import string
import time

import hypothesis
import keras
import pytest
from hypothesis import strategies as st

from lambda_keras.export import cli as export
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo import cli as zoo
from lambda_keras.zoo.models.record import Record, TrainedOn

# No command downloads, and none that is given these trains: hostile values end it before.
SECONDS = 20
LONG = "x" * 300
NUMBERS = st.sampled_from(
    [
        "0",
        "-1",
        "1e-300",
        "2e-1",
        "1e999",
        "nan",
        "inf",
        "9" * 12,
        "9" * 5000,
        "0x" + "f" * 5000,
        "²",
        "1_0",
        "",
        "True",
    ]
)
# No process is given a NUL.
LETTERS = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
NAMES = st.one_of(
    st.sampled_from(
        ["", ".", "..", "/", "~", LONG, f"{LONG}.keras", "/dev/null", "a\x1b[31m", "a\nb", "hf://", "hf://a/b@c "]
    ),
    st.sampled_from(["lambda_resnet50ts.x.y", "lambda_resnet50.", ".png", "*", "[", "runs[1]", "-x", "=1", "é\udc80"]),
    st.text(LETTERS, max_size=12).map("no/such/{}".format),
)
# Not the folders in which all pictures of the machine are.
FILES = NAMES.filter(lambda name: name not in ("/", ".."))
VALUES = st.one_of(
    NUMBERS,
    st.sampled_from(
        [
            "2024-13-45",
            "!!int abc",
            "!!binary ä",
            "[a]",
            "[[[1]]]",
            "[" * 1200,
            "{a: {b: c}}",
            "{[a]: 1}",
            "&a [*a]",
            "*a",
        ]
    ),
    st.text(string.printable, max_size=8),
)
KEYS = st.sampled_from(
    [
        *("data.mean", "data.std", "data.validation_fraction", "data.image_size", "data.evaluation_crop", "data.name"),
        *(
            "data.channels",
            "data.train",
            "training.epochs",
            "training.batch_size",
            "training.learning_rate",
            "training",
        ),
        *(
            "training.warmup_epochs",
            "training.stage_decay",
            "model.name",
            "model.overrides",
            "model.overrides.scope_size",
        ),
        *("model.overrides.features_only", "model", "data", "a", "a.b.c", "data.", "", "data.image_size.x"),
    ]
)
OVERRIDES = st.builds("{}={}".format, KEYS, VALUES)


def words(*parts):
    """Draws a command line: a string is itself, a strategy is drawn from."""
    return st.tuples(*(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts)).map(list)


ZOO = st.one_of(
    # The last override ends it, whatever the first one is.
    words("train", "--recipe", "digits", OVERRIDES, "training.optimizer=none"),
    words("train", "--recipe", NAMES, "--out", NAMES, "--dry-run"),
    words("train", "--recipe", "digits", "--dry-run", "--replicas", NUMBERS, "training.optimizer=none"),
    words("inspect-data", "--recipe", NAMES, "--out", NAMES),
    words("fine-tune", "--data", NAMES, "--model", "lambda_resnet_tiny", "--weights", "none", "--out", "out"),
    words("fine-tune", "--data", "digits", "--model", NAMES, "--out", "out", "--epochs", NUMBERS),
    words("fine-tune", "--data", "digits", "--model", "lambda_resnet_tiny", "--weights", NAMES, "--out", "out"),
    words("evaluate", NAMES, "--batch-size", NUMBERS),
    words("evaluate", "RUN", "--data", NAMES, "--out", "out"),
    words("evaluate", "RUN", "--evaluation-crop", NUMBERS, "--data", "no_such", "--out", "out"),
    words("evaluate", "RUN", "--image-size", NUMBERS, "--data", "no_such", "--out", "out"),
    words("predict", NAMES, FILES),
    words("predict", "RUN", FILES, "--top", NUMBERS),
    words("explain", "RUN", FILES, "--query", st.builds("{},{}".format, NUMBERS, NUMBERS), "--out", "out.png"),
    words("explain", NAMES, FILES, "--class", NAMES, "--layer", NAMES, "--out", NAMES),
    words("write-images", "--dataset", NAMES, "--out", "out"),
    words("write-record", NAMES, "--mean", NUMBERS, "--std", NUMBERS, "--image-size", NUMBERS),
    words("models", NAMES),
    words("weights", "show", NAMES),
    words("weights", "verify", NAMES, NAMES),
    words("weights", "fetch", NAMES),
    words("weights", "convert", "--model", NAMES, NAMES, "out.safetensors"),
    words("weights", "convert", "--model", "lambda_resnet_tiny", "--classes", NUMBERS, "no.keras", "out.safetensors"),
    words("weights", "convert", "--model", "lambda_resnet_tiny", "--channels", NUMBERS, "no.keras", NAMES),
)
EXPORT = st.one_of(
    words("tflite", "--model", "RUN", "--out", "out.tflite", "--batch", NUMBERS, "--calibration", "no_such"),
    words("tflite", "--model", NAMES, "--out", NAMES),
    words("tflite", "--model", "RUN", "--out", "out.tflite", "--quantize", "int8", "--calibration", NAMES),
    words("saved-model", "--model", NAMES, "--out", NAMES, "--warmup", NUMBERS),
    words("saved-model", "--model", "RUN", "--out", "out", "--warmup", NUMBERS, "--image-size", "8000"),
    words("verify", "--model", "RUN", "--data", NAMES, NAMES),
    words("benchmark", "--out", NAMES, "--batch-sizes", NUMBERS, NAMES),
    words("serve-check", NAMES, "--name", NAMES, "--image", NAMES),
    words("web", NAMES, "--out", NAMES),
)


def check(main, arguments):
    """Runs a command and looks at what it leaves: no traceback, and one line where it refuses."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        status = main(arguments)
    assert status in (0, 1, 2), arguments
    if status == 2:
        lines = errors.getvalue().splitlines()
        assert lines[-1].startswith("lambda-"), (arguments, lines)
        assert not any("Traceback" in line or "\x1b" in line for line in lines), arguments


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """The least that is a model with a record."""
    folder = tmp_path_factory.mktemp("run")
    images = keras.Input((8, 8, 1))
    top = keras.layers.Dense(10, activation="softmax")
    keras.Model(images, top(keras.layers.GlobalAveragePooling2D()(images))).save(folder / "model.keras")
    preprocessor = Preprocessor(8, 1.0, "bicubic", mean=(0.3,), std=(0.4,))
    Record("plain", preprocessor, tuple("0123456789"), TrainedOn("digits")).write(folder / "record.json")
    return folder


@pytest.mark.parametrize(("main", "drawn"), [(zoo.main, ZOO), (export.main, EXPORT)])
def test_no_traceback(main, drawn, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(tmp_path / "cache"))
    end = time.monotonic() + SECONDS / 2

    @hypothesis.settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(drawn)
    def run(arguments):
        if time.monotonic() < end:
            check(main, [str(run_folder) if word == "RUN" else word for word in arguments])

    run()
