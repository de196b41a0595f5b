import importlib.util

import pytest

from lambda_keras.export.checks.runtimes import RUNTIMES, check_installed
from lambda_keras.zoo.errors import UserError


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_missing_is_named_with_the_way_to_install_it(runtime, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"--runtime {runtime} needs {' and '.join(RUNTIMES[runtime])}, .* pip install"):
        check_installed(runtime)


def test_of_two_packages_the_missing_one_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else object())
    with pytest.raises(UserError, match="needs tf2onnx, not"):
        check_installed("onnxruntime")
