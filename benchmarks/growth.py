"""How a layer's time and memory grow with the number of positions n, and the exponents of n that fit.

    python -m benchmarks.growth

writes results/growth.csv: seconds of one inference of one image in a `tf.function` without XLA, float32,
and by how much the peak memory of a process of its own is above that of one that builds the layer and runs nothing.
"""

import subprocess
import sys
import time

import numpy as np

from benchmarks.process_memory import PEAK, memory
from benchmarks.timing import options, write_csv

CHANNELS = 64
LAYERS = {
    "lambda, scope 7": (16, 32, 64, 128, 256),
    "lambda, scope 23": (16, 32, 64, 128, 256),
    "lambda, global scope": (16, 32, 64),
    "global self-attention": (16, 32, 64),
}


def make_layer(name):
    """One of `LAYERS`."""
    from lambda_keras.layers import GlobalSelfAttention, LambdaLayer

    if name == "global self-attention":
        return GlobalSelfAttention()
    return LambdaLayer(scope_size=None if "global" in name else int(name.split()[-1]))


def run_alone(name, side):
    """Prints seconds and bytes of a layer; in a process of its own."""
    import tensorflow as tf

    layer = make_layer(name)
    images = tf.random.normal((1, side, side, CHANNELS))
    layer.build(images.shape)
    before = memory(PEAK)
    function = tf.function(lambda x: layer(x, training=False))
    function(images).numpy()
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        function(images).numpy()
        seconds.append(time.perf_counter() - start)
    print(np.median(seconds), memory(PEAK) - before)


def exponent(positions, values):
    """The slope of the straight line through the logarithms."""
    return np.polyfit(np.log(positions), np.log(values), 1)[0]


def main():
    """Measures each size in a process, prints, writes."""
    parser = options(__doc__)
    parser.add_argument("--alone", nargs=2, metavar=("LAYER", "SIDE"), help="measure one layer in this process")
    arguments = parser.parse_args()
    if arguments.alone:
        run_alone(arguments.alone[0], int(arguments.alone[1]))
        return
    measured, rows = {}, []
    for name, sides in LAYERS.items():
        for side in sides[1:3] if arguments.short else sides:
            command = [sys.executable, "-m", "benchmarks.growth", "--alone", name, str(side)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, peak = map(float, printed.split()[-2:])
            measured.setdefault(name, []).append((side**2, seconds, peak))
            print(name, side, f"{seconds:.5f} s", f"{peak / 1e6:.1f} MB", sep="\t", flush=True)
        # Of the smallest map, what a call costs is most of the time.
        larger = [point for point in measured[name] if point[0] > sides[0] ** 2]
        positions, seconds, peaks = np.array(larger).T
        rows += [
            {
                "layer": name,
                "side": int(n**0.5),
                "seconds": f"{of_one:.5f}",
                "megabytes": f"{peak / 1e6:.1f}",
                "exponent_of_time": f"{exponent(positions, seconds):.2f}",
                "exponent_of_memory": f"{exponent(positions, peaks):.2f}",
            }
            for n, of_one, peak in measured[name]
        ]
    write_csv("growth", rows, short=arguments.short)


if __name__ == "__main__":
    main()
