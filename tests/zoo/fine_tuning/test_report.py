import base64
import html.parser
import io
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from lambda_keras.zoo.evaluation.report import evaluate_probabilities
from lambda_keras.zoo.fine_tuning.predictions import Predictions
from lambda_keras.zoo.fine_tuning.report import Content, render

NAMES = ("cat", "<script>alert('dog')</script>", 'Löwe & "owl"')
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


@pytest.fixture(scope="module")
def page():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), 20).astype("float32")
    # The last class is in no test image.
    labels = np.arange(20) % 2
    wrong = np.flatnonzero(probabilities.argmax(-1) != labels).tolist()
    pictures = {index: random.integers(0, 256, (16, 16, 3), "uint8") for index in wrong}
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    content = Content(
        model="lambda_resnet_tiny",
        parameters=64_578,
        class_names=NAMES,
        classes=[(name, 30, 5, 10) for name in NAMES],
        remarks=["left out: 1 (an empty file): <i>.jpg"],
        start="the weights imagenet",
        start_table="loaded  3  as they are",
        plan=["training: all layers"],
        rows=[{"epoch": epoch, **dict.fromkeys(COLUMNS, 1 / epoch)} for epoch in (1, 2, 3)],
        head_epochs=1,
        kept_epoch=2,
        evaluation=evaluate_probabilities(probabilities, labels, NAMES),
        predictions=Predictions([f"a/$x <{n}>.png" for n in range(20)], labels, probabilities, wrong, [], pictures),
        explanations=[("Grad-CAM of <cat>", file.getvalue())],
        command="lambda-zoo fine-tune --data 'a & b' --out $HOME",
        recipe="model: {name: x}",
        versions="Keras 3",
    )
    return render(content), content


class Reader(html.parser.HTMLParser):
    """Collects the elements and the text of a page; what is opened must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def read(page):
    reader = Reader()
    reader.feed(page[0])
    assert reader.open == []
    return reader


def test_texts_of_the_user_are_shown_as_they_are(read, page):
    text = "".join(read.text)
    for expected in (*NAMES, page[1].command, *page[1].remarks, "Grad-CAM of <cat>", "$x <"):
        assert expected in text, expected
    assert "script" not in {tag for tag, _ in read.elements}


def test_it_needs_no_other_file(read):
    sources = [attributes[key] for _, attributes in read.elements for key in ("src", "href") if key in attributes]
    assert all(source.startswith("data:") for source in sources)
    for source in sources[1:]:
        Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,")))).verify()
    # Curves, confusion matrix, an explanation, the mistakes.
    assert len(sources) == 1 + 3 + len(page_mistakes(read))


def page_mistakes(read):
    return [attributes for tag, attributes in read.elements if attributes.get("alt", "").startswith("a test image of ")]


def test_every_class_has_its_row(read):
    text = " ".join(" ".join(read.text).split())
    assert "95 % interval" in text
    assert 'Löwe & "owl" 30 5 10 – –' in text


def test_a_model_without_mistakes(page):
    import dataclasses

    labels = np.array([0, 1, 2])
    perfect = Predictions(["0", "1", "2"], labels, np.eye(3, dtype="float32"), [], [], {})
    evaluation = evaluate_probabilities(perfect.probabilities, labels, NAMES)
    text = render(dataclasses.replace(page[1], predictions=perfect, evaluation=evaluation, explanations=[]))
    assert "None: all test images are recognised." in text
    assert "What the model looked at" not in text


@pytest.mark.browser
def test_it_renders_in_a_browser_without_an_error(page, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs a Chromium to render the page")
    (tmp_path / "report.html").write_text(page[0], encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1200,2000"]
    folders = [f"--user-data-dir={tmp_path}/profile", f"--screenshot={tmp_path}/report.png"]
    address = (tmp_path / "report.html").as_uri()
    result = subprocess.run([chromium, *options, *folders, address], capture_output=True, text=True, timeout=300)
    assert ":CONSOLE" not in result.stderr, result.stderr
    pixels = np.asarray(Image.open(tmp_path / "report.png").convert("L"))
    assert pixels.shape == (2000, 1200)
    assert (pixels < 128).mean() > 0.01
