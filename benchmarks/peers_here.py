"""The lambda layers in torch that can be timed beside a backend of Keras, on the device that the backend uses."""

import importlib.util

from benchmarks import backends


def find(not_done):
    """Names of the peers that are installed; `not_done` gets a line for each that cannot run here."""
    if importlib.util.find_spec("torch") is None:
        not_done.append("timm and lucidrains: torch is not installed")
        return []
    import torch

    from benchmarks import torch_layers

    kind = backends.device_kind()
    if kind == "tpu" or (kind == "gpu" and not torch.cuda.is_available()):
        not_done.append(f"timm and lucidrains: torch {torch.__version__} does not see the {kind.upper()}")
        return []
    if kind == "gpu":
        # TF32, with which jax and TensorFlow multiply unless told otherwise.
        torch.set_float32_matmul_precision("high")
    packages = torch_layers.PACKAGES
    absent = [peer for peer, package in packages.items() if importlib.util.find_spec(package) is None]
    not_done += [f"{peer}: the package {packages[peer]} is not installed" for peer in absent]
    return [peer for peer in packages if peer not in absent]


def step_makers(peers, grid, channels, batch, scope, training, compiles, layers=1):
    """By name, functions that make what is timed of each peer: eager and, if it `compiles`, by `torch.compile` too.

    It is so many layers after one another, each with weights of its own.
    """
    ways = {"torch": False, "torch.compile": True} if compiles else {"torch": False}

    def maker(peer, compiled):
        def make():
            from benchmarks import torch_layers

            device = "cpu" if backends.device_kind() == "cpu" else "cuda"
            made = [torch_layers.make(peer, grid, channels, scope) for _ in range(layers)]
            return torch_layers.step(made, (batch, *grid, channels), training, compiled, device)

        return make

    return {f"{peer}, {way}": maker(peer, compiled) for peer in peers for way, compiled in ways.items()}
