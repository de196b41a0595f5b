"""MobileNetV2, and its form in which light lambda blocks replace two inverted bottlenecks.

MobileNetV2: https://arxiv.org/abs/1801.04381. Light lambda blocks: LambdaNetworks, appendix
(https://arxiv.org/abs/2102.08602).
"""

import dataclasses

from lambda_keras.applications.registry import model_function, register


@dataclasses.dataclass(frozen=True)
class MobileNetV2Config:
    """A MobileNetV2 with or without light lambda blocks.

    Attributes:
        name: Name in the registry.
        lambda_blocks: Inverted bottlenecks, counted from 1, that are light lambda blocks instead. They must keep
            resolution and channels.
        image_size: Side of the images of the default input, in pixels.
        num_heads: Heads of the lambda layers.
        key_dim: Their key depth.
        intra_depth: Their intra-depth.
        scope_size: Their scope; `None` is global.
        activation: Name of the activation.
        dropout_rate: Dropout before the classifier.
        batch_norm_momentum: Momentum of all moving statistics.
        batch_norm_epsilon: Added to all variances.
        classes: Number of classes by default.
        warm_start: The registered model whose weights fill a part of this one: there is none.
    """

    name: str
    lambda_blocks: tuple[int, ...] = ()
    image_size: int = 224
    num_heads: int = 4
    key_dim: int = 32
    intra_depth: int = 1
    scope_size: int | tuple[int, ...] | None = 5
    activation: str = "relu6"
    dropout_rate: float = 0.2
    batch_norm_momentum: float = 0.99
    batch_norm_epsilon: float = 1e-3
    classes: int = 1000
    warm_start: str | None = None


CONFIGS = {
    "mobilenet_v2": MobileNetV2Config("mobilenet_v2"),
    "lambda_mobilenet_v2": MobileNetV2Config("lambda_mobilenet_v2", lambda_blocks=(10, 16)),
}
register("lambda_keras.applications.mobilenet_v2_trunk", CONFIGS.values())

MobileNetV2 = model_function(
    "mobilenet_v2",
    "MobileNetV2",
    __name__,
    "MobileNetV2, the baseline of `LambdaMobileNetV2` (https://arxiv.org/abs/1801.04381).",
)
LambdaMobileNetV2 = model_function(
    "lambda_mobilenet_v2",
    "LambdaMobileNetV2",
    __name__,
    "MobileNetV2 whose 10th and 16th bottlenecks are light lambda blocks (LambdaNetworks, appendix).",
)
