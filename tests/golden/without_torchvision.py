"""Imports timm without torchvision, whose builds do not import beside every torch.

timm's image transforms need torchvision, its models need nothing of it.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from unittest import mock


class _StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty stand-in for torchvision and each of its modules."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return mock.MagicMock(name=spec.name, __path__=[], __spec__=spec)

    def exec_module(self, module):
        pass


def import_timm():
    """Returns timm; the stand-in is gone afterwards."""
    if "timm" not in sys.modules:
        stand_in = _StandIn()
        sys.meta_path.insert(0, stand_in)
        try:
            importlib.import_module("timm")
        finally:
            sys.meta_path.remove(stand_in)
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
    return sys.modules["timm"]
