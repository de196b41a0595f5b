"""The documentation's site: it builds without a warning, holds all public names, and needs no other host."""

import ast
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest

pytestmark = pytest.mark.process
ROOT = pathlib.Path(__file__).parent.parent
ROOMS = ("lambda_keras", "zoo", "export")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    for package in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(package, reason='the site needs the extra "docs"')
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    process = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-4000:]
    return folder


def anchors(site, pattern):
    return {
        anchor
        for page in site.glob(pattern)
        for anchor in re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8"))
    }


def test_each_public_name_is_in_the_reference(site):
    import lambda_keras as lk

    documented = {anchor.rpartition(".")[2] for anchor in anchors(site, "reference/*/index.html")}
    for module in (lk, lk.applications, lk.explain, lk.layers, lk.weights):
        names = {name for name in module.__all__ if not isinstance(getattr(module, name), (str, type(lk)))}
        assert names <= documented, module.__name__


def test_sections_and_examples_of_docstrings_are_not_running_text(site):
    layers = (site / "reference" / "layers" / "index.html").read_text(encoding="utf-8")
    assert '<span class="doc-section-title">Call arguments:</span>' in layers
    for page in site.glob("reference/*/index.html"):
        text = page.read_text(encoding="utf-8")
        assert "<blockquote>" not in text, page  # What Markdown makes of >>>.
        assert "<details" not in text, page  # A section that the parser does not know.


def test_functions_that_are_made_at_import_have_their_arguments(site):
    text = (site / "reference" / "applications" / "index.html").read_text(encoding="utf-8")
    for argument in ("include_top", "classifier_activation", "warm_start"):
        assert f"<code>{argument}</code>" in text


def test_the_site_loads_nothing_from_other_hosts(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^>]*>", page.read_text())
        assert loaded == [], page


def test_hooks_are_not_published(site):
    assert not (site / "hooks").exists()


def test_the_error_of_a_missing_import_is_in_the_docs(run_python, tmp_path):
    import lambda_keras as lk

    lk.create_model("lambda_resnet_tiny").save(tmp_path / "model.keras")
    message = run_python(
        """
import sys, keras
try:
    keras.saving.load_model(sys.argv[1])
except Exception as error:
    print(error)
""",
        tmp_path / "model.keras",
        cold=True,
    )
    begin, name = re.search(r"(Could not locate class) ('\w+')", message).groups()
    heading = next(line for line in (ROOT / "docs/layer.md").read_text().splitlines() if f"says: {begin}" in line)
    assert name in heading


def test_the_picture_of_the_rooms_shows_their_imports():
    picture = xml.etree.ElementTree.parse(ROOT / "docs" / "images" / "rooms.svg")
    drawn = {(path.get("data-from"), path.get("data-to")) for path in picture.iter() if path.get("data-from")}
    imported = {
        (room, room_of(name))
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in imported_names(node)
    }
    assert drawn == {(room, other) for room, other in imported if other in ROOMS and other != room}


def room_of(name):
    """The room in which a module lives: `zoo` for `lambda_keras.zoo.cli`."""
    package, _, rest = name.partition(".")
    inner = rest.split(".")[0]
    return inner if package == "lambda_keras" and inner in ROOMS else package


def imported_names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
