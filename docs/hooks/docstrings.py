"""Shows griffe, which reads the docstrings of the reference, the sections that this project names as Keras does."""

import re

import griffe

# Sections that it does not know it shows as running text, in which `>>>` is a quotation in a quotation.
TITLES = {"Example:": "Examples: Example:", "Call arguments:": "Args: Call arguments:"}


class SectionTitles(griffe.Extension):
    """Makes known sections, with the title they had, of those that griffe does not know."""

    def on_instance(self, *, obj, **_):
        """Does it before the docstring of an object is parsed.

        Args:
            obj: A module, class, function or attribute.
        """
        if obj.docstring:
            titles = "|".join(map(re.escape, TITLES))
            text = re.sub(rf"^({titles})$", lambda match: TITLES[match[1]], obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = text
