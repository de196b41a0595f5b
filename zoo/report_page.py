"""A report: one HTML file without scripts or links, in which every text of a user's is escaped."""

import base64
import importlib.resources
import io
import string
from collections.abc import Callable, Iterable, Sequence
from html import escape

# Smaller pictures are shown as pixels, larger ones smoothly.
PIXELS = 64


def page(
    title: str,
    subtitle: str,
    figures: Iterable[tuple[str, str]],
    sections: Iterable[tuple[str, str]],
    largest_side: int = 0,
) -> str:
    """Puts a report together.

    Args:
        title: The title, a text.
        subtitle: The line below it, a text.
        figures: `(value, name)` of the figures that stand first, texts.
        sections: `(title, body)` of each section in HTML; those without a body are left out.
        largest_side: Of the pictures of images, in pixels.

    Returns:
        The page as HTML.
    """
    template = (importlib.resources.files("lambda_keras.zoo") / "report.html").read_text(encoding="utf-8")
    boxes = (f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for value, name in figures)
    return string.Template(template).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        figures="".join(boxes),
        sections="\n".join(f"<section><h2>{title}</h2>\n{body}</section>" for title, body in sections if body),
        rendering="pixelated" if largest_side <= PIXELS else "auto",
    )


def plot(draw: Callable[..., None], description: str, kind: str) -> str:
    """What a function draws, as HTML.

    Args:
        draw: Function of `path`, a binary stream that it writes a PNG file to.
        description: For those who do not see it.
        kind: Classes of the style sheet: `plot`, and `square` for one that is.
    """
    stream = io.BytesIO()
    draw(path=stream)
    return image(stream.getvalue(), description, kind)


def image(png: bytes, description: str, kind: str = "") -> str:
    """A PNG file, as HTML.

    Args:
        png: Its bytes.
        description: For those who do not see it.
        kind: As for `plot`; none for a picture of an image.
    """
    encoded = base64.b64encode(png).decode()
    return f"<img class='{kind}' alt='{escape(description)}' src='data:image/png;base64,{encoded}'>"


def bullets(lines: Iterable[str]) -> str:
    """Lines of text as a list, as HTML."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, as HTML.

    Args:
        header: The names of the columns, texts.
        rows: The cells of each row, in HTML.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
