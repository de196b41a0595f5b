"""Times models before and after `lambda_keras.fuse`, and counts their parameters.

    python -m benchmarks.fuse

writes results/fuse.csv. Figures are seconds of one call of a `tf.function` without XLA, float32, by turns.
"""

import numpy as np
import tensorflow as tf

import lambda_keras as lk
from benchmarks.timing import interleaved_medians, options, write_csv

MODELS = (("lambda_resnet50", 224), ("lambda_resnet26t", 256), ("lambda_mobilenet_v2", 224))
BATCHES = (1, 8)


def measure(name, image_size, short):
    """Rows of one model: a row for each batch, in the short form for the first."""
    model = lk.create_model(name, input_shape=(image_size, image_size, 3))
    models = {"original": model, "fused": lk.fuse(model)}
    functions = {form: tf.function(form_model) for form, form_model in models.items()}
    rows = []
    for batch in BATCHES[:1] if short else BATCHES:
        images = tf.constant(np.random.default_rng(0).normal(size=(batch, image_size, image_size, 3)), "float32")
        calls = {form: lambda f=function, x=images: f(x).numpy() for form, function in functions.items()}
        seconds = interleaved_medians(calls, rounds=15, short=short)
        rows.append(
            {
                "model": name,
                "image_size": image_size,
                "batch": batch,
                "original_seconds": f"{seconds['original']:.4f}",
                "fused_seconds": f"{seconds['fused']:.4f}",
                "ratio": f"{seconds['fused'] / seconds['original']:.3f}",
                "original_parameters": models["original"].count_params(),
                "fused_parameters": models["fused"].count_params(),
            }
        )
    return rows


def main():
    """Measures, prints, writes."""
    short = options(__doc__).parse_args().short
    rows = []
    for name, image_size in MODELS:
        for row in measure(name, image_size, short):
            rows.append(row)
            print(*row.values(), sep="\t", flush=True)
    write_csv("fuse", rows, short=short)


if __name__ == "__main__":
    main()
