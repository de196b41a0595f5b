"""Text that others wrote: whether it is one plain line, and what to show of it where it is not."""

import re
import unicodedata

# Control characters, the separators of lines and paragraphs, and halves of a character, which no file in UTF-8 holds.
UNPRINTABLE = ("Cc", "Zl", "Zp", "Cs")
# How TensorFlow names the operation that failed, before and after what it says.
_OPERATION = re.compile(r"\{\{.*?\}\} | \[Op:.*")


def is_line(text: str) -> bool:
    r"""Whether a text is one line that a terminal shows as it is.

    Args:
        text: The text.

    Example:
        >>> is_line("T-shirt/top"), is_line("two\nlines")
        (True, False)
    """
    return not any(map(_is_unprintable, text))


def escaped(text: str, keep: str = "", form: str | None = None) -> str:
    r"""Shows control characters as Python writes them in a string, so that a terminal does not act on them.

    Args:
        text: The text.
        keep: Control characters that are meant, such as the line breaks of a text of several lines.
        form: How to write the number of a character, such as JSON's `"\\u{:04x}"`; by default as Python does.

    Example:
        >>> print(escaped("red \x1b[31m, bell \a"))
        red \x1b[31m, bell \x07
    """

    def escape(char):
        return form.format(ord(char)) if form else char.encode("unicode_escape").decode()

    return "".join(escape(char) if _is_unprintable(char) and char not in keep else char for char in text)


def first_line(error: BaseException) -> str:
    r"""What an error of a library says, in its first line; its type where it says nothing.

    Example:
        >>> first_line(ValueError("no such layer\n\nArguments received: …")), first_line(KeyError())
        ('no such layer', 'KeyError')
        >>> first_line(OSError("{{function_node SaveV2}} No space left on device [Op:SaveV2] name: "))
        'No space left on device'
    """
    return (_OPERATION.sub("", str(error)).strip().splitlines() or [type(error).__name__])[0]


def _is_unprintable(char):
    return unicodedata.category(char) in UNPRINTABLE
