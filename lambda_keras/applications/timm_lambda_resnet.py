"""The three lambda networks of timm, for which ImageNet weights are published. They are not the paper's.

Configurations of https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/byoanet.py: a tiered stem,
lambda layers in a few blocks, scope 9 with a bias of the position lambdas (or a global scope without), a 2×2 pool
after a strided lambda layer, then normalisation and activation.
"""

import functools

from lambda_keras.applications.registry import model_function, register
from lambda_keras.applications.resnet import ResNetConfig

_timm_config = functools.partial(
    ResNetConfig,
    stem="tiered",
    image_size=256,
    lambda_pool_size=2,
    normalize_lambda=True,
    # PyTorch's momentum 0.1 is the weight of the new batch, Keras' 0.9 that of the old statistics.
    batch_norm_momentum=0.9,
)
_twenty_six_config = functools.partial(_timm_config, blocks=(2, 2, 2, 2), lambda_blocks=((), (), (2,), (1, 2)))

CONFIGS = {
    config.name: config
    for config in (
        _twenty_six_config("lambda_resnet26t", scope_size=9, use_position_bias=True),
        _twenty_six_config("lambda_resnet26rpt_256", scope_size=None),
        _timm_config(
            "lambda_resnet50ts",
            blocks=(3, 4, 6, 3),
            lambda_blocks=((), (4,), (2, 4, 6), (2,)),
            activation="silu",
            scope_size=9,
            use_position_bias=True,
        ),
    )
}
register("lambda_keras.applications.resnet_trunk", CONFIGS.values())


def _function(python_name, registry_name, summary):
    return model_function(registry_name, python_name, __name__, summary)


LambdaResNet26T = _function(
    "LambdaResNet26T",
    "lambda_resnet26t",
    "timm's lambda_resnet26t: lambda layers of scope 9 in half of c4 and all of c5; 79.1 % on ImageNet at 256.",
)
LambdaResNet26RPT256 = _function(
    "LambdaResNet26RPT256",
    "lambda_resnet26rpt_256",
    "timm's lambda_resnet26rpt_256: `LambdaResNet26T` with a global scope, made for 256×256; 79.0 % on ImageNet.",
)
LambdaResNet50TS = _function(
    "LambdaResNet50TS",
    "lambda_resnet50ts",
    "timm's lambda_resnet50ts: SiLU, lambda layers of scope 9 in c3, c4 and c5; 81.2 % on ImageNet at 256.",
)
