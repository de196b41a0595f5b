"""Which extra brings a package that is missing."""

# By extra, the names under which its requirements in setup.cfg are imported.
EXTRAS = {
    "zoo": (
        "imagehash",
        "importlib_resources",
        "matplotlib",
        "official",
        "orbit",
        "PIL",
        "pycocotools",
        "pydantic",
        "scipy",
        "shtab",
        "sklearn",
        "tensorflow_datasets",
        "tensorflow_models",
        "tqdm",
        "yaml",
    ),
    "export": ("ai_edge_litert", "matplotlib", "pydantic", "shtab", "sklearn", "tensorflow_serving", "yaml"),
    "beam": ("apache_beam",),
}


def missing_extra(module: str | None, preferred: str) -> str | None:
    """Names the extra that brings a module.

    Args:
        module: What was imported, such as `yaml` or `official.vision`.
        preferred: The extra to name where several bring it.

    Returns:
        The extra, or `None` where the module is of none of them.

    Example:
        >>> missing_extra("official.vision", preferred="export")
        'zoo'
    """
    package = (module or "").split(".")[0]
    extras = [extra for extra, packages in EXTRAS.items() if package in packages]
    return preferred if preferred in extras else next(iter(extras), None)
