import logging
import warnings

import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lambda_keras.zoo import fonts

# Those of matplotlib have none of these.
LETTER, OTHER = "図", "書"


@pytest.fixture(autouse=True)
def _families():
    before = list(matplotlib.rcParams["font.family"])
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    yield
    matplotlib.rcParams["font.family"] = before
    logger.setLevel(level)


@pytest.fixture(scope="module")
def font_file(tmp_path_factory):
    """A font with one letter, a filled square."""
    pen = TTGlyphPen(None)
    for move, point in (("moveTo", (0, 0)), ("lineTo", (0, 1000)), ("lineTo", (1000, 1000)), ("lineTo", (1000, 0))):
        getattr(pen, move)(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(LETTER): "square"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "One Square", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path_factory.mktemp("fonts") / "OneSquare-Regular.ttf"
    builder.save(path)
    return path


@pytest.fixture(autouse=True)
def installed(font_file, monkeypatch):
    """That font alone beside those of matplotlib, as if it was installed after matplotlib had listed the others."""
    own = [entry for entry in font_manager.fontManager.ttflist if entry.fname.startswith(matplotlib.get_data_path())]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(font_file)])
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    fonts._installed.cache_clear()
    yield font_file
    fonts._installed.cache_clear()


def dark(text, **properties):
    """Share of dark pixels in the picture of a text."""
    figure = Figure(figsize=(1, 1), dpi=50)
    figure.text(0.2, 0.2, text, fontsize=30, **properties)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return (np.asarray(canvas.buffer_rgba())[..., 0] < 100).mean()


def test_an_installed_font_draws_what_that_of_matplotlib_lacks(capsys):
    fonts.add_for(["apple", f"{LETTER}x"])
    assert matplotlib.rcParams["font.family"][1:] == ["One Square"]
    assert dark(LETTER) == pytest.approx(0.174, abs=0.03)  # A square of 30 points has 21 by 21 pixels of 50 by 50.
    fonts.add_for([LETTER])
    assert matplotlib.rcParams["font.family"][1:] == ["One Square"]
    assert capsys.readouterr().err == ""


def test_a_font_without_bold_letters_is_no_warning(caplog):
    fonts.add_for([LETTER])
    assert dark(LETTER, fontweight="bold") > 0
    assert caplog.messages == []


def test_names_that_need_no_other_font_change_nothing():
    before = list(matplotlib.rcParams["font.family"])
    fonts.add_for(["apple", "Löwe", "яблоко", "a\u200db"])
    assert matplotlib.rcParams["font.family"] == before
    assert fonts.pieces("Löwe") == [(fonts.OWN, "Löwe")]


def test_letters_that_no_font_has_are_told_once_and_are_boxes(capsys):
    with warnings.catch_warnings():
        for _ in range(2):
            fonts.add_for([OTHER])
            assert dark(OTHER) > 0
    assert capsys.readouterr().err == (
        f"no font here has {OTHER}: they are boxes in pictures; install one that has them, such as Noto Sans CJK\n"
    )


def test_a_text_in_pieces(installed):
    assert fonts.pieces(f"dog {LETTER} 9%") == [(fonts.OWN, "dog "), (installed, LETTER), (fonts.OWN, " 9%")]
    assert fonts.pieces(OTHER) == [(fonts.OWN, OTHER)]
