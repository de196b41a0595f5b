"""Times what comes before the first image: imports, building, the first call, the commands that only print.

    python -m benchmarks.startup

writes results/startup.csv: median seconds of fresh processes that took turns. What a process times itself (building, a
first and a second call) does not count its imports.
"""

import statistics
import subprocess
import sys
import time

from benchmarks.timing import options, write_csv

ROUNDS = 5
COMMANDS = {
    "import tensorflow": ["-c", "import tensorflow"],
    "import keras": ["-c", "import keras"],
    "import lambda_keras": ["-c", "import lambda_keras"],
    "lambda-zoo --help": ["-m", "lambda_keras.zoo", "--help"],
    "lambda-zoo models": ["-m", "lambda_keras.zoo", "models"],
    "lambda-zoo recipes": ["-m", "lambda_keras.zoo", "recipes"],
}
MODELS = (("lambda_resnet50", 160), ("lambda_resnet152", 224), ("lambda_resnet420", 320))
BUILD = """
import time
import numpy as np
import lambda_keras as lk
images = np.zeros((1, {size}, {size}, 3), "float32")
start = time.perf_counter()
model = lk.create_model("{name}", input_shape=images.shape[1:])
built = time.perf_counter()
model.predict(images, verbose=0)
first = time.perf_counter()
model.predict(images, verbose=0)
print(built - start, first - built, time.perf_counter() - first)
"""


def run(arguments):
    """Seconds of a Python process, and the numbers that it printed last."""
    start = time.perf_counter()
    printed = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - start, printed.splitlines()[-1:]


def main():
    """Measures, prints, writes."""
    short = options(__doc__).parse_args().short
    seconds = {}
    for _ in range(1 if short else ROUNDS):
        for what, arguments in COMMANDS.items():
            seconds.setdefault(what, []).append(run(arguments)[0])
    # A network of 420 layers takes a minute.
    for name, size in MODELS[:1] if short else MODELS:
        _, (printed,) = run(["-c", BUILD.format(name=name, size=size)])
        for what, value in zip(("build", "first call of", "second call of"), printed.split(), strict=True):
            seconds[f"{what} {name} at {size}"] = [float(value)]
    rows = [{"what": what, "seconds": f"{statistics.median(values):.2f}"} for what, values in seconds.items()]
    for row in rows:
        print(*row.values(), sep="\t")
    write_csv("startup", rows, short=short)


if __name__ == "__main__":
    main()
