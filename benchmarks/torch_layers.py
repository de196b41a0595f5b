"""The lambda layers of lucidrains and timm, in torch."""

import torch

from tests.golden.without_torchvision import import_timm

# The package of each peer.
PACKAGES = {"lucidrains": "lambda_networks", "timm": "timm"}


def make(peer, grid, channels, scope):
    """A layer of one of `PACKAGES` for a map `grid`, with the heads and the key depth that ours have."""
    if peer == "timm":
        layer = import_timm().layers.lambda_layer.LambdaLayer
        return layer(channels, feat_size=grid, dim_head=16, num_heads=4, r=scope)
    from lambda_networks import LambdaLayer

    where = {"r": scope} if scope else {"n": grid[0]}
    return LambdaLayer(channels, dim_k=16, heads=4, **where)


def step(layers, shape, training, compiled=False, device="cpu"):
    """A function without arguments that runs layers after one another on random images, with gradients if they train.

    Args:
        layers: Layers of `make`.
        shape: `(batch, height, width, channels)`.
        training: Whether gradients are taken.
        compiled: Whether `torch.compile` compiles the layers.
        device: `"cpu"` or `"cuda"`.
    """
    batch, height, width, channels = shape
    images = torch.randn(batch, channels, height, width, device=device, requires_grad=training)
    module = torch.nn.Sequential(*layers).to(device).train(training)
    model = torch.compile(module) if compiled else module

    def run():
        if training:
            module.zero_grad()
            model(images).sum().backward()
        else:
            with torch.inference_mode():
                model(images)
        if device == "cuda":
            torch.cuda.synchronize()

    return run
