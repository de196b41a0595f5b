"""Every kind of network that is registered, small: narrow, with one block of each kind."""

import dataclasses

import lambda_keras as lk
from lambda_keras.applications.resnet import STAGES, ResNetConfig

# What makes a network larger or is of its classifier, and none of what its blocks compute.
SIZES = ("name", "image_size", "blocks", "stem_width", "stage_widths", "classes", "warm_start")
# What says where the kinds of block are.
PLACES = ("lambda_blocks", "squeeze_excitation_stages")


def _kinds_of_blocks(config):
    """For each stage of a ResNet the kind of each block: does it project, is it strided, what does it hold."""
    return [
        [
            (block == 1, block == 1 and stage != STAGES[0], block in lambdas, stage in config.squeeze_excitation_stages)
            for block in range(1, count + 1)
        ]
        for stage, count, lambdas in zip(STAGES, config.blocks, config.lambda_blocks, strict=True)
    ]


def _arguments(config):
    """What `create_model` takes to make the small form of a registered network."""
    arguments = {"input_shape": (64, 64, 3), "classes": 5}
    if not isinstance(config, ResNetConfig):
        return arguments
    seen, blocks, lambda_blocks = set(), [], []
    for kinds in _kinds_of_blocks(config):
        # A stage needs its first block, and of those behind it none whose kind is there already.
        kept = [kind for place, kind in enumerate(kinds) if place == 0 or kind not in {*seen, *kinds[:place]}]
        seen.update(kept)
        blocks.append(len(kept))
        lambda_blocks.append(tuple(place for place, (_, _, is_lambda, _) in enumerate(kept, 1) if is_lambda))
    return {
        **arguments,
        "blocks": tuple(blocks),
        "lambda_blocks": tuple(lambda_blocks),
        "stem_width": 16,
        "stage_widths": (8, 16, 24, 32),
    }


def _kind(config):
    """What two networks have in common that differ in size alone."""
    names = [field.name for field in dataclasses.fields(config) if field.name not in SIZES + PLACES]
    if isinstance(config, ResNetConfig):
        places = frozenset(kind for kinds in _kinds_of_blocks(config) for kind in kinds)
    else:
        places = bool(config.lambda_blocks)
    return type(config), places, tuple(getattr(config, name) for name in names)


def arguments_of_each_kind():
    """The name of one registered network of each kind, and the arguments that make it small."""
    names = {}
    for name in lk.list_models():
        names.setdefault(_kind(lk.applications.get_config(name)), name)
    return {name: _arguments(lk.applications.get_config(name)) for name in names.values()}
