"""The page in a browser, used as a person would, against Python: same pixels, same class."""

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
import pytest
from ai_edge_litert.interpreter import Interpreter

import lambda_keras as lk
from export.tflite import export_tflite
from export.web_page import write_web_page
from tests.export.conftest import blotches, pixels_of_digits
from zoo.errors import UserError
from zoo.image_file import read_image

DRIVER = Path(__file__).with_name("drive_web_page.html")
DIGITS = [f"digit{number}.png" for number in range(8)]
# A strip to be cropped, one made smaller, one made larger; grey, colours, and colours to be made grey.
PICTURES = {
    "digits": [*DIGITS, "wide.png", "tall.jpg", "text.png"],
    "blotches": ["exact.png", "wide.png", "tall.jpg", "small.png"],
}


@pytest.fixture(scope="module")
def npm():
    if shutil.which("npm") is None:
        pytest.skip("npm is not here to fetch LiteRT.js")
    if subprocess.run(["npm", "view", "@litertjs/core", "version"], capture_output=True).returncode:
        pytest.skip("npm cannot reach a registry to fetch LiteRT.js")


@pytest.fixture(scope="module")
def records(digits_record, record):
    return {"digits": digits_record, "blotches": record.model_copy(update={"interpolation": "bilinear"})}


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
        write_web_page(file, site / name)
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
        def do_POST(self):  # noqa: N802
            results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Handler(*a, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={site}/.user"]
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    log = site / "chromium.log"
    with log.open("w") as stderr:
        address = f"http://127.0.0.1:{server.server_port}/"
        process = subprocess.Popen([chromium, *options, *camera, address], stderr=stderr)
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
    ("page", "picture"), [(page, name) for page in PICTURES for name in PICTURES[page] if name != "text.png"]
)
def test_same_pixels_and_class_as_in_python(answers, site, files, records, page, picture):
    record, answer = records[page], answers[page][picture]
    image = read_image(site / picture, record)
    # Every decoder of JPEG rounds its own way; all else is the same to a rounding of float32.
    tolerance = {".jpg": 4}.get(Path(picture).suffix, 1)
    np.testing.assert_allclose(pixels(answer, record.channels), image, atol=tolerance)
    images = np.asarray(lk.preprocess_input(image[np.newaxis], mean=record.mean, std=record.std))
    run = Interpreter(model_path=str(files[page])).get_signature_runner()
    (probabilities,) = run(images=images)["probabilities"]
    label, percent = answer["classes"][0]
    assert label == record.class_names[probabilities.argmax()]
    assert float(percent.removesuffix("%")) / 100 == pytest.approx(probabilities.max(), abs=0.02)


def test_other_ways_to_give_a_picture(answers):
    for page, pictures in PICTURES.items():
        assert answers[page]["dropped"] == answers[page]["linked"] == answers[page][pictures[0]]
        assert len(answers[page]["photograph"]["classes"]) == 5


def test_what_is_no_picture_is_a_line_on_the_page(answers):
    assert answers["digits"]["text.png"]["error"].startswith("cannot read text.png: it is damaged, or not a picture")


def test_the_console_has_no_errors(answers):
    expected = "INFO: |WARNING: |No available adapters|Failed to create default WebGPU|Canvas2D: Multiple readback"
    assert [line for line in answers["console"] if not re.search(f':CONSOLE:.*] "({expected})', line)] == []
