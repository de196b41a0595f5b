"""ResNetConfig: every ResNet of this package is a configuration, not a branch of code."""

import dataclasses

STAGES = ("c2", "c3", "c4", "c5")
STEMS = ("vanilla", "resnet_rs", "tiered", "small")
INTERACTIONS = ("lambda", "global", "axial", "local")
# Of lambda layers alone: attention has nothing like them.
LAMBDA_FIELDS = (
    "intra_depth",
    "use_content",
    "use_position",
    "use_position_bias",
    "key_normalization",
    "query_softmax",
    "use_batch_norm",
    "implementation",
)


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """A residual network whose bottleneck blocks hold a 3×3 convolution or a lambda layer.

    Attributes:
        name: Name in the registry.
        blocks: Blocks of stages c2 to c5.
        lambda_blocks: For each stage the blocks, counted from 1, that hold a lambda layer.
        squeeze_excitation_stages: Stages whose convolutional blocks end in squeeze-and-excitation.
        image_size: Side of the images of the default input, in pixels.
        stem: `"vanilla"` (7×7 and max pool), `"resnet_rs"` (ResNet-D's three 3×3 convolutions, then a strided
            one instead of the pool), `"tiered"` (timm's: three 3×3 convolutions of growing width and max pool) or
            `"small"` (one 3×3 convolution without stride).
        stem_width: Channels that leave the stem.
        stage_widths: Channels of the middle of a bottleneck, for each stage; four times as many leave it.
        pooled_shortcut: Whether a strided shortcut averages before its 1×1 convolution (ResNet-D).
        interaction: What the layers of `lambda_blocks` are: `"lambda"`, or a baseline of the paper in their place:
            `"global"`, `"axial"` or `"local"` self-attention (`lambda_keras.layers.GlobalSelfAttention` and so on).
        num_heads: Heads of the lambda layers.
        key_dim: Their key depth. `None`, for attention alone, is the value depth.
        intra_depth: Their intra-depth.
        scope_size: Their scope; `None` is global. The window of local attention.
        stage_scope_sizes: For each stage a scope in the place of `scope_size`; by default all stages have that.
        share_position_embeddings: Whether the lambda layers of one resolution and scope have one position table.
        use_content: Whether their lambdas have a content part.
        use_position: Whether their lambdas have a position part.
        use_position_bias: Whether their position lambdas have a bias.
        key_normalization: `"softmax"`, `"l2"` or `"none"`.
        query_softmax: Whether their queries are soft-maxed over the key depth.
        use_batch_norm: Whether their queries and values are batch-normalised.
        implementation: Their order of contraction, as in `lambda_keras.layers.LambdaLayer`.
        lambda_pool_size: Side of the average pool after a strided lambda layer: 3, the paper's, or 2.
        normalize_lambda: Whether normalisation and activation follow a lambda layer and its pool.
        remat: `"blocks"` to keep the inputs of blocks alone while training, and compute what is in them again for the
            gradient: a fraction of the memory, about a third more time, same numbers. On TensorFlow; not part of a
            saved model.
        activation: Name of the activation.
        dropout_rate: Dropout before the classifier.
        stochastic_depth_rate: Rate of the last block; it grows linearly from the first.
        batch_norm_momentum: Momentum of all moving statistics.
        batch_norm_epsilon: Added to all variances.
        classes: Number of classes by default.
        warm_start: The registered ResNet-RS whose weights fill all but the lambda layers, if there is one.
    """

    name: str
    blocks: tuple[int, ...]
    lambda_blocks: tuple[tuple[int, ...], ...] = ((), (), (), ())
    squeeze_excitation_stages: tuple[str, ...] = ()
    image_size: int = 224
    stem: str = "vanilla"
    stem_width: int = 64
    stage_widths: tuple[int, ...] = (64, 128, 256, 512)
    pooled_shortcut: bool = False
    interaction: str = "lambda"
    num_heads: int = 4
    key_dim: int | None = 16
    intra_depth: int = 1
    scope_size: int | tuple[int, ...] | None = 23
    stage_scope_sizes: tuple[int | tuple[int, ...] | None, ...] | None = None
    share_position_embeddings: bool = False
    use_content: bool = True
    use_position: bool = True
    use_position_bias: bool = False
    key_normalization: str = "softmax"
    query_softmax: bool = False
    use_batch_norm: bool = True
    implementation: str = "auto"
    lambda_pool_size: int = 3
    normalize_lambda: bool = False
    remat: str | None = None
    activation: str = "relu"
    dropout_rate: float = 0.0
    stochastic_depth_rate: float = 0.0
    batch_norm_momentum: float = 0.99
    batch_norm_epsilon: float = 1e-5
    classes: int = 1000
    warm_start: str | None = None

    def __post_init__(self):
        """Refuses what cannot be built."""
        if self.stem not in STEMS:
            raise ValueError(f"`stem` must be one of {STEMS}. Received: stem={self.stem!r}")
        for stage, count, lambdas in zip(STAGES, self.blocks, self.lambda_blocks, strict=True):
            if any(not 1 <= block <= count for block in lambdas):
                raise ValueError(
                    f"`lambda_blocks` of stage {stage} must be between 1 and its {count} blocks. Received: {lambdas}"
                )
        unknown = set(self.squeeze_excitation_stages) - set(STAGES)
        if unknown:
            raise ValueError(
                f"`squeeze_excitation_stages` must be among {STAGES}. Received: {self.squeeze_excitation_stages}"
            )
        if self.remat not in (None, "blocks"):
            raise ValueError(f"`remat` must be None or 'blocks'. Received: remat={self.remat!r}")
        self._check_interaction()
        if self.stage_scope_sizes is not None and len(self.stage_scope_sizes) != len(STAGES):
            raise ValueError(
                f"`stage_scope_sizes` needs a scope for each of the stages {STAGES}. Received: {self.stage_scope_sizes}"
            )
        for field in ("dropout_rate", "stochastic_depth_rate"):
            if not 0 <= getattr(self, field) < 1:
                raise ValueError(f"`{field}` must be in [0, 1). Received: {field}={getattr(self, field)}")

    def _check_interaction(self):
        if self.interaction not in INTERACTIONS:
            raise ValueError(f"`interaction` must be one of {INTERACTIONS}. Received: {self.interaction!r}")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        changed = [name for name in LAMBDA_FIELDS if getattr(self, name) != defaults[name]]
        if self.interaction != "lambda" and changed:
            raise ValueError(
                f"{', '.join(changed)} must be left out with interaction={self.interaction!r}: only lambda layers have "
                "that."
            )
        if self.interaction == "lambda" and self.key_dim is None:
            raise ValueError("`key_dim` of lambda layers must be an integer of at least 1. Received: None")
        if self.share_position_embeddings and (self.interaction == "axial" or not self.use_position):
            raise ValueError(
                "`share_position_embeddings` needs layers with one position table each: lambda layers with "
                "use_position=True, global or local attention. Received: "
                f"interaction={self.interaction!r}, use_position={self.use_position}"
            )
