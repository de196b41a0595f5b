"""What became of each variable and of each tensor when weights were loaded."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """Which variables of a model were filled, and from where; prints as a table.

    Attributes:
        source: Where the tensors came from.
        loaded: Names of the variables that hold a tensor as it was.
        adapted: Names of the variables that hold a changed tensor, each with what was done to it.
        random: Names of the variables that stayed as they were.
        unused: Names of the tensors that fit nowhere.

    Example:
        >>> print(LoadReport("model.safetensors", loaded=("stem_conv/kernel",), random=("predictions/kernel",)))
        model.safetensors
        loaded        1  as they are
        stays random  1  predictions/kernel
    """

    source: str
    loaded: tuple[str, ...] = ()
    adapted: dict[str, str] = dataclasses.field(default_factory=dict)
    random: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether each variable holds a tensor as it was, and none is left over."""
        return not (self.adapted or self.random or self.unused)

    def __str__(self) -> str:
        """One line for what was loaded as it was, then one for each name of all others."""
        rows = [("loaded", str(len(self.loaded)), "as they are")]
        rows += _rows("adapted", [f"{name}: {what}" for name, what in self.adapted.items()])
        rows += _rows("stays random", self.random)
        rows += _rows("unused", self.unused)
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{kind:<{widths[0]}}  {count:>{widths[1]}}  {text}".rstrip() for kind, count, text in rows]
        return "\n".join((self.source, *lines))


def _rows(kind, texts):
    """A row for each text; the first has the kind and the count."""
    return [(kind if row == 0 else "", str(len(texts)) if row == 0 else "", text) for row, text in enumerate(texts)]
