"""Records what timm's three lambda networks (torch) compute, for the tests that run without torch.

    python -m tests.golden.timm_models

writes timm_<name>.npz for each, beside this file. Needs the `backends` extra. The weights are made from their names,
so that the files hold only names, shapes and some of the numbers that the networks compute.
"""

import math
import pathlib
import zlib

import numpy as np

# Sizes of the images: the one of the published weights, and another where the scope is local.
SIZES = {
    "lambda_resnet26t": ((256, 256), (224, 192)),
    "lambda_resnet26rpt_256": ((256, 256),),
    "lambda_resnet50ts": ((256, 256), (224, 192)),
}
STAGES = ("stem", "c2", "c3", "c4", "c5")
SAMPLES = 300

# Deviation of kernels, times the root of what feeds an output. With these the maps of all stages stay between 0.1 and
# 100: a lambda layer's output grows with the square of its input, so that small changes let them die or explode.
GAIN = 1.2
GAINS = {"conv3_1x1.conv.weight": 0.7, "qkv.weight": 0.5}


def path(name):
    """The file of a model."""
    return pathlib.Path(__file__).with_name(f"timm_{name}.npz")


def images(size):
    """Two images `[2, height, width, 3]` of noise; the second has less contrast, else their logits hardly differ."""
    contrast = np.array([1, 0.3]).reshape(2, 1, 1, 1)
    return (contrast * np.random.default_rng(size).normal(size=(2, *size, 3))).astype("float32")


def state_dict(shapes, seed):
    """Weights for a dict of names and shapes. Each depends on the seed and on its own name only.

    Every tensor counts: the scales of BatchNorm that timm starts at zero too.
    """
    return {name: _tensor(name, shape, seed) for name, shape in shapes.items()}


def _tensor(name, shape, seed):
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, "int64")
    if name.endswith("running_var") or (name.endswith(".weight") and len(shape) == 1):
        return generator.uniform(0.5, 1.5, shape).astype("float32")
    if len(shape) == 1:
        deviation = 0.1
    elif name.endswith(("pos_emb", "conv_lambda.weight")):
        deviation = 0.05
    else:
        gain = next((gain for end, gain in GAINS.items() if name.endswith(end)), GAIN)
        deviation = gain * math.prod(shape[1:]) ** -0.5
    return deviation * generator.standard_normal(shape, "float32")


def compute(name, seed, sizes):
    """What a timm model computes with weights of `state_dict`, for images of each size.

    Returns:
        A dict of arrays: `names` and `shapes` (as text) of the state dict, `parameters`, their number, and for each
        size `logits`, and for the stem and each stage `mean`, `std`, and `values` of a channels-last map at `indices`.
    """
    import torch

    from tests.golden.without_torchvision import import_timm

    model = import_timm().create_model(name).eval()
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    model.load_state_dict({key: torch.tensor(value) for key, value in state_dict(shapes, seed).items()})
    maps = {}
    for stage, module in zip(STAGES, (model.stem, *model.stages), strict=True):
        module.register_forward_hook(lambda _, __, output, stage=stage: maps.update({stage: output}))
    arrays = {
        "names": np.array(list(shapes)),
        "shapes": np.array([" ".join(map(str, shape)) for shape in shapes.values()]),
        "parameters": np.array(sum(tensor.numel() for tensor in model.parameters())),
    }
    for size in sizes:
        with torch.inference_mode():
            logits = model(torch.tensor(images(size).transpose(0, 3, 1, 2).copy()))
        prefix = f"{size[0]}x{size[1]}"
        arrays[f"{prefix}:logits"] = logits.numpy()
        for stage in STAGES:
            values = maps[stage].permute(0, 2, 3, 1).numpy()
            indices = np.random.default_rng(zlib.crc32(stage.encode())).choice(values.size, SAMPLES, replace=False)
            arrays[f"{prefix}:{stage}:mean"], arrays[f"{prefix}:{stage}:std"] = values.mean(), values.std()
            arrays[f"{prefix}:{stage}:indices"] = indices.astype("int32")
            arrays[f"{prefix}:{stage}:values"] = values.ravel()[indices]
    return arrays


if __name__ == "__main__":
    for model_name, model_sizes in SIZES.items():
        np.savez_compressed(path(model_name), **compute(model_name, 0, model_sizes))
        print(f"{path(model_name)}: {path(model_name).stat().st_size} bytes")
