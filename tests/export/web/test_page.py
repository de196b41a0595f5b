"""The page in a browser, used as a person would, against Python: the same pixels and classes."""

import functools
import http.server
import json
import queue
import re
import shutil
import subprocess
import threading
from pathlib import Path

import keras
import numpy as np
import PIL.Image
import pytest
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from lambda_keras.export import cli
from lambda_keras.export.tflite.calibration import Calibration
from lambda_keras.export.tflite.writer import export_tflite
from lambda_keras.export.web.page import write_web_page
from lambda_keras.zoo.errors import UserError
from lambda_keras.zoo.models.image_file import read_image
from tests.export.conftest import blotches, pixels_of_digits

DRIVER = Path(__file__).with_name("drive_web_page.html")
DIGITS = [f"digit{number}.png" for number in range(8)]
# A strip to be cropped, one made smaller, one made larger; grey, colours, and colours to be made grey.
PICTURES = {
    "digits": [*DIGITS, "wide.png", "tall.jpg", "text.png", "huge.png"],
    "blotches": ["exact.png", "wide.png", "tall.jpg", "small.png"],
}
REFUSED = {
    "text.png": "cannot read text.png: it is damaged, or not a picture",
    "huge.png": "cannot read huge.png: 7100x7100 pixels, over the limit of 50,000,000",
}


@pytest.fixture(scope="module")
def npm():
    if shutil.which("npm") is None:
        pytest.skip("npm is not here to fetch LiteRT.js")
    if subprocess.run(["npm", "view", "@litertjs/core", "version"], capture_output=True).returncode:
        pytest.skip("npm cannot reach a registry to fetch LiteRT.js")


@pytest.fixture(scope="module")
def records(digits_record, record):
    return {"digits": digits_record, "blotches": record.with_preprocessing(interpolation="bilinear")}


@pytest.fixture(scope="module")
def files(digits_model, digits_calibration, model, records, folder):
    """The TFLite files of the two pages: int8 with grey images, float32 with colours."""
    digits, other = folder / "web-digits.tflite", folder / "web-blotches.tflite"
    export_tflite(digits_model, digits, "int8-float-io", digits_calibration, batch_size=1, record=records["digits"])
    export_tflite(model, other, batch_size=1, record=records["blotches"])
    return {"digits": digits, "blotches": other}


@pytest.fixture(scope="module")
def site(npm, files, tmp_path_factory):
    """A folder with both pages, the pictures and the driver."""
    site = tmp_path_factory.mktemp("site")
    for name, file in files.items():
        assert cli.main(["web", str(file), "--out", str(site / name)]) == 0
    images, _ = pixels_of_digits(is_test=True)
    for name, image in zip(DIGITS, images, strict=False):
        keras.utils.save_img(site / name, image, scale=False)
    # Smooth, as photographs are: an edge of one pixel's width says nothing about how JPEG is decoded.
    photograph = keras.ops.image.resize(blotches(1, seed=3)[0], (150, 200), interpolation="bicubic")
    photograph = np.asarray(keras.ops.clip(photograph, 0, 255))
    keras.utils.save_img(site / "wide.png", photograph, scale=False)
    keras.utils.save_img(site / "tall.jpg", photograph.transpose(1, 0, 2), scale=False)
    keras.utils.save_img(site / "small.png", photograph[:20, :30], scale=False)
    keras.utils.save_img(site / "exact.png", blotches(1, seed=4)[0], scale=False)
    (site / "text.png").write_text("no picture")
    PIL.Image.new("1", (7100, 7100)).save(site / "huge.png")
    (site / "pictures.json").write_text(json.dumps(PICTURES))
    shutil.copy(DRIVER, site / "index.html")
    return site


@pytest.fixture(scope="module")
def answers(site):
    """By page and picture what the browser showed, and under `console` what it had to say."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not here to open the page")
    results = queue.Queue()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_POST(self):
            results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    # A camera that shows a test card, and nobody who must be asked for it.
    options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    log = site / "chromium.log"
    with log.open("w") as stderr:
        address = f"http://127.0.0.1:{server.server_port}/"
        process = subprocess.Popen([chromium, *options, f"--user-data-dir={site}/.user", address], stderr=stderr)
        try:
            answers = results.get(timeout=120)
        except queue.Empty:
            pytest.fail(f"the browser did not answer: {log.read_text()[-4000:]}")
        finally:
            process.terminate()
            process.wait(timeout=30)
            server.shutdown()
            server.server_close()
    return {**answers, "console": [line for line in log.read_text().splitlines() if ":CONSOLE:" in line]}


def pixels(answer, channels):
    side = int((len(answer["pixels"]) / 4) ** 0.5)
    return np.array(answer["pixels"]).reshape(side, side, 4)[..., :channels]


@pytest.mark.parametrize(
    ("page", "picture"), [(page, name) for page in PICTURES for name in PICTURES[page] if name not in REFUSED]
)
def test_same_class_as_in_python(answers, site, files, records, page, picture):
    record, answer = records[page], answers[page][picture]
    image, seen = read_image(site / picture, record.preprocessor), pixels(answer, record.preprocessor.channels)
    if picture in DIGITS:
        np.testing.assert_array_equal(seen, image)
    else:
        # A sum halfway between two bytes may round to either; decoders of JPEG differ by more.
        np.testing.assert_allclose(seen, image, atol=5 if picture.endswith(".jpg") else 1)

    run = Interpreter(model_path=str(files[page])).get_signature_runner()
    inputs = np.asarray(
        lk.preprocess_input(np.stack([image, seen]), mean=record.preprocessor.mean, std=record.preprocessor.std)
    )
    of_file, of_seen = (run(images=inputs[i : i + 1])["probabilities"][0] for i in range(2))
    label, percent = answer["classes"][0]
    assert label == record.class_names[of_file.argmax()]
    # Shown with one decimal; an int8 probability is a multiple of 1/256.
    assert float(percent.removesuffix("%")) / 100 == pytest.approx(of_seen.max(), abs=0.001 + 1 / 256)


def test_other_ways_to_give_a_picture(answers):
    for page, pictures in PICTURES.items():
        assert answers[page]["dropped"] == answers[page]["linked"] == answers[page][pictures[0]]
        assert len(answers[page]["photograph"]["classes"]) == 5


@pytest.mark.parametrize(("picture", "message"), REFUSED.items())
def test_what_cannot_be_read_is_a_line_on_the_page(answers, picture, message):
    assert answers["digits"][picture]["error"].startswith(message)


def test_the_console_has_no_errors(answers):
    expected = "INFO: |WARNING: |No available adapters|Failed to create default WebGPU|Canvas2D: Multiple readback"
    assert [line for line in answers["console"] if not re.search(f':CONSOLE:.*] "({expected})', line)] == []


@pytest.fixture(scope="module")
def refused(plain_model, digits_record, folder):
    """Files that the page cannot take, by what is wrong with them."""
    names = ("int8", "any-batch", "batch-3", "no-record", "damaged", "missing", "4-channels")
    paths = {name: folder / f"refused-{name}.tflite" for name in names}
    images = blotches(40, seed=0, side=8)
    calibration = Calibration(images[:32], images[32:], np.float32([0.5] * 3), np.float32([0.5] * 3))
    export_tflite(plain_model, paths["int8"], "int8", calibration, batch_size=1, record=digits_record)
    export_tflite(plain_model, paths["any-batch"], record=digits_record)
    export_tflite(plain_model, paths["batch-3"], batch_size=3, record=digits_record)
    export_tflite(plain_model, paths["no-record"], batch_size=1)
    inputs = keras.Input((8, 8, 4))
    outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    values = {"image_size": 8, "mean": (0.5,) * 4, "std": (0.5,) * 4}
    with_alpha = digits_record.with_preprocessing(**values)
    export_tflite(keras.Model(inputs, outputs), paths["4-channels"], batch_size=1, record=with_alpha)
    paths["damaged"].write_bytes(b"damaged")
    return paths


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int8", "takes int8, which LiteRT.js does not give; export it with --quantize int8-float-io"),
        ("any-batch", "takes any number of images at once, the page gives one; export it with --batch 1"),
        ("batch-3", "takes 3 images at once, the page gives one; export it with --batch 1"),
        ("no-record", "does not say how it wants images"),
        ("damaged", "is damaged, or not a TFLite file"),
        ("missing", "no such file"),
        ("4-channels", "takes images of 4 channels; a page has pictures in colour or grey"),
    ],
)
def test_files_that_the_page_cannot_take(refused, name, message, tmp_path):
    with pytest.raises(UserError, match=re.escape(message)):
        write_web_page(refused[name], tmp_path / "page")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def accepted(plain_model, digits_record, tmp_path):
    return export_tflite(plain_model, tmp_path / "model.tflite", batch_size=1, record=digits_record)


def test_what_is_in_the_folder_stays(accepted, tmp_path):
    with pytest.raises(UserError, match="exists and is not an empty folder"):
        write_web_page(accepted, tmp_path)
    assert list(tmp_path.iterdir()) == [accepted]


def test_npm_is_missing(accepted, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"npm, which fetches LiteRT\.js, is not installed"):
        write_web_page(accepted, tmp_path / "page")
    assert list(tmp_path.iterdir()) == [accepted]


def test_npm_fails(accepted, tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho npm error code ENOTFOUND >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(UserError, match=r"npm could not fetch LiteRT\.js: code ENOTFOUND"):
        write_web_page(accepted, tmp_path / "page")
    assert sorted(tmp_path.iterdir()) == [accepted, npm]
