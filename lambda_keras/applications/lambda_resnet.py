"""The networks of the paper: LambdaResNet 50 to 420, their C4 forms, the baselines and the ResNet-50 hybrids.

Block counts and the places of lambda layers are those of LambdaNetworks, appendix
(https://arxiv.org/abs/2102.08602); the baselines are ResNet-RS (https://arxiv.org/abs/2103.07579).
"""

from lambda_keras.applications.registry import model_function, register
from lambda_keras.applications.resnet import STAGES, ResNetConfig

# depth: (blocks of c2 to c5, blocks of c4 with a lambda layer, default image size)
DEPTHS = {
    50: ((3, 4, 6, 3), (3,), 160),
    101: ((3, 4, 23, 3), (6, 12, 18), 192),
    152: ((3, 8, 36, 3), (5, 10, 15, 20, 25, 30), 224),
    200: ((3, 24, 36, 3), (5, 10, 15, 20, 25, 30), 256),
    270: ((4, 29, 53, 4), (8, 16, 24, 32, 40, 48), 256),
    350: ((4, 36, 72, 4), (10, 20, 30, 40, 50, 60), 320),
    420: ((4, 44, 87, 4), (10, 20, 30, 40, 50, 60, 70, 80), 320),
}
# The eight patterns of stages c2 to c5 that the paper compares: C convolution, L lambda.
HYBRIDS = ("cccc", "cccl", "ccll", "clll", "llll", "lccc", "llcc", "lllc")


def _every_block(count):
    return tuple(range(1, count + 1))


def _resnet_rs(name, depth, **fields):
    blocks, _, image_size = DEPTHS[depth]
    return ResNetConfig(
        name,
        blocks,
        image_size=image_size,
        stem="resnet_rs",
        pooled_shortcut=True,
        warm_start=f"resnet_rs{depth}",
        **fields,
    )


def _lambda_resnet(depth):
    (_, _, _, c5), c4_lambdas, _ = DEPTHS[depth]
    return _resnet_rs(
        f"lambda_resnet{depth}",
        depth,
        lambda_blocks=((), (), c4_lambdas, _every_block(c5)),
        # Neither c4 nor c5 has squeeze-and-excitation, their convolutional blocks included: this meets the
        # published parameter counts.
        squeeze_excitation_stages=("c2", "c3"),
    )


def _lambda_resnet_c4(depth):
    _, _, c4, c5 = DEPTHS[depth][0]
    return _resnet_rs(
        f"lambda_resnet{depth}_c4",
        depth,
        lambda_blocks=((), (), _every_block(c4), _every_block(c5)),
        squeeze_excitation_stages=("c2", "c3"),
    )


def _hybrid(pattern):
    blocks = DEPTHS[50][0]
    lambdas = tuple(_every_block(count) if letter == "l" else () for letter, count in zip(pattern, blocks, strict=True))
    return ResNetConfig(f"resnet50_{pattern}", blocks, lambda_blocks=lambdas)


CONFIGS = {
    config.name: config
    for config in (
        *map(_lambda_resnet, DEPTHS),
        *map(_lambda_resnet_c4, DEPTHS),
        *(_resnet_rs(f"resnet_rs{depth}", depth, squeeze_excitation_stages=STAGES) for depth in DEPTHS),
        *(_resnet_rs(f"resnet_rs{depth}_no_se", depth) for depth in DEPTHS),
        *map(_hybrid, HYBRIDS),
        # 32×32 images, ten classes and less than 120,000 parameters: for quick work, tests and examples.
        ResNetConfig(
            "lambda_resnet_tiny",
            blocks=(1, 1, 2, 1),
            lambda_blocks=((), (), (2,), (1,)),
            image_size=32,
            stem="small",
            stem_width=16,
            stage_widths=(8, 16, 32, 48),
            pooled_shortcut=True,
            scope_size=15,
            batch_norm_momentum=0.9,
            classes=10,
        ),
    )
}

register("lambda_keras.applications.resnet_trunk", CONFIGS.values())


def _function(python_name, registry_name, summary):
    return model_function(registry_name, python_name, __name__, summary)


_LAMBDA = "LambdaResNet-{}: lambda layers in all of c5 and at even distances in c4 (LambdaNetworks, appendix)."
_C4 = "LambdaResNet-{}-C4: every block of c4 and c5 holds a lambda layer (LambdaNetworks, appendix)."
_RS = "ResNet-RS-{}, the paper's baseline, with squeeze-and-excitation; `squeeze_excitation_stages=()` for without."

LambdaResNetTiny = _function(
    "LambdaResNetTiny",
    "lambda_resnet_tiny",
    "A small network for 32×32 images and ten classes, for quick work and examples; it is not the paper's.",
)
LambdaResNet50 = _function("LambdaResNet50", "lambda_resnet50", _LAMBDA.format(50))
LambdaResNet101 = _function("LambdaResNet101", "lambda_resnet101", _LAMBDA.format(101))
LambdaResNet152 = _function("LambdaResNet152", "lambda_resnet152", _LAMBDA.format(152))
LambdaResNet200 = _function("LambdaResNet200", "lambda_resnet200", _LAMBDA.format(200))
LambdaResNet270 = _function("LambdaResNet270", "lambda_resnet270", _LAMBDA.format(270))
LambdaResNet350 = _function("LambdaResNet350", "lambda_resnet350", _LAMBDA.format(350))
LambdaResNet420 = _function("LambdaResNet420", "lambda_resnet420", _LAMBDA.format(420))
LambdaResNet50C4 = _function("LambdaResNet50C4", "lambda_resnet50_c4", _C4.format(50))
LambdaResNet101C4 = _function("LambdaResNet101C4", "lambda_resnet101_c4", _C4.format(101))
LambdaResNet152C4 = _function("LambdaResNet152C4", "lambda_resnet152_c4", _C4.format(152))
LambdaResNet200C4 = _function("LambdaResNet200C4", "lambda_resnet200_c4", _C4.format(200))
LambdaResNet270C4 = _function("LambdaResNet270C4", "lambda_resnet270_c4", _C4.format(270))
LambdaResNet350C4 = _function("LambdaResNet350C4", "lambda_resnet350_c4", _C4.format(350))
LambdaResNet420C4 = _function("LambdaResNet420C4", "lambda_resnet420_c4", _C4.format(420))
ResNetRS50 = _function("ResNetRS50", "resnet_rs50", _RS.format(50))
ResNetRS101 = _function("ResNetRS101", "resnet_rs101", _RS.format(101))
ResNetRS152 = _function("ResNetRS152", "resnet_rs152", _RS.format(152))
ResNetRS200 = _function("ResNetRS200", "resnet_rs200", _RS.format(200))
ResNetRS270 = _function("ResNetRS270", "resnet_rs270", _RS.format(270))
ResNetRS350 = _function("ResNetRS350", "resnet_rs350", _RS.format(350))
ResNetRS420 = _function("ResNetRS420", "resnet_rs420", _RS.format(420))
