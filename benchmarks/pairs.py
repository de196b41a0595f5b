"""Times LambdaResNets beside the EfficientNets that reach about the same accuracy on ImageNet in the paper.

    python -m benchmarks.pairs

writes results/pairs.csv: seconds of a training step and of an inference, in float32 and under Keras' policy
mixed_bfloat16, by turns, in `tf.function` without XLA. The step is forward, gradient and stochastic gradient descent
with momentum. The paper's ratios are those of a TPU.
"""

import gc

import keras

import lambda_keras as lk
from benchmarks.networks import build, inference, training_step
from benchmarks.timing import interleaved_medians, options, write_csv

# Ours and its image size, the other and its image size.
PAIRS = (("lambda_resnet50", 160, "EfficientNetB1", 240), ("lambda_resnet101", 192, "EfficientNetB3", 300))
POLICIES = ("float32", "mixed_bfloat16")
BATCH = 8
# What is timed, by a function of a model and a batch.
MODES = {
    "training": training_step,
    "inference": inference,
    "inference, both fused": lambda model, batch: inference(lk.fuse(model), batch),
}


def network(name, image_size, policy):
    """A network under a policy, which is not left behind."""
    keras.config.set_dtype_policy(policy)
    try:
        return build(name, image_size)
    finally:
        keras.config.set_dtype_policy("float32")


def functions_of(name, image_size, policy):
    """By mode, functions without arguments that run a network."""
    model = network(name, image_size, policy)
    return {mode: step(model, BATCH) for mode, step in MODES.items()}


def measure(pair, policies, short):
    """Rows of two networks, each `(name, image size)`: one for each mode and policy."""
    functions = {(name, policy): functions_of(name, size, policy) for name, size in pair for policy in policies}
    (name, image_size), (other, other_size) = pair
    for mode in next(iter(functions.values())):
        steps = {key: of_mode[mode] for key, of_mode in functions.items()}
        seconds = interleaved_medians(steps, rounds=7, short=short)
        fastest = min(seconds[other, policy] for policy in policies)
        for policy in policies:
            yield {
                "model": name,
                "image_size": image_size,
                "other": other,
                "other_image_size": other_size,
                "mode": mode,
                "policy": policy,
                "batch": BATCH,
                "seconds": f"{seconds[name, policy]:.4f}",
                "other_seconds": f"{seconds[other, policy]:.4f}",
                "ratio": f"{seconds[other, policy] / seconds[name, policy]:.2f}",
                "ratio_of_fastest_other": f"{fastest / seconds[name, policy]:.2f}",
            }


def main():
    """Measures, prints, writes."""
    short = options(__doc__).parse_args().short
    pairs, policies = (PAIRS[:1], POLICIES[:1]) if short else (PAIRS, POLICIES)
    rows = []
    for name, image_size, other, other_size in pairs:
        for row in measure(((name, image_size), (other, other_size)), policies, short):
            rows.append(row)
            print(*row.values(), sep="\t", flush=True)
        gc.collect()
    write_csv("pairs", rows, short=short)


if __name__ == "__main__":
    main()
