"""Counts parameters and multiply-adds of every model at its default image size.

    python -m benchmarks.models

writes results/models.csv, from which `python -m benchmarks.tables` makes the tables of models.
"""

import math

import keras

import lambda_keras as lk
from benchmarks.timing import write_csv


def main():
    """Builds, counts, writes."""
    rows = []
    for name in lk.list_models():
        model = lk.create_model(name)
        trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        row = {
            "model": name,
            "image_size": model.input_shape[1],
            "parameters": trainable,
            "multiply_adds": lk.count_multiply_adds(model),
        }
        rows.append(row)
        print(*row.values(), sep="\t", flush=True)
        keras.backend.clear_session()
    write_csv("models", rows, replace_all=True)


if __name__ == "__main__":
    main()
