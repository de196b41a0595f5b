"""What it costs that a TFLite file makes pictures ready itself, by their size.

    python -m benchmarks.any_size

writes results/any_size.csv: for pictures resized to 224 pixels inside, the time on one thread of LiteRT and the memory
that the process takes above what it has before. The network behind it does next to nothing.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.process_memory import PEAK, RESIDENT, memory
from benchmarks.timing import write_csv

SIZES = ((480, 640), (1000, 1000), (1536, 2048), (3000, 4000))
ROUNDS = 5


def run(path, height, width):
    """Prints the median of the seconds and the MB of memory for pictures of one size; in a process of its own."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1).get_signature_runner()
    picture = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype="uint8")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = memory(RESIDENT)
    seconds = []
    for _ in range(ROUNDS):
        # Of one thread, whatever else the machine does.
        begin = time.process_time()
        interpreter(images=picture)
        seconds.append(time.process_time() - begin)
    print(statistics.median(seconds), (memory(PEAK) - before) / 1e6)


def write_file(path):
    """A file whose model averages over its images."""
    import keras

    from lambda_keras.export.tflite.writer import export_tflite
    from lambda_keras.weights import Preprocessor
    from lambda_keras.zoo.models.record import Record

    inputs = keras.Input((224, 224, 3))
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    record = Record("lambda_resnet50", Preprocessor(224), ("A", "B"))
    export_tflite(keras.Model(inputs, outputs), path, record=record, any_size=True)


def main():
    """Writes a row for each size."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.tflite")
        write_file(path)
        for height, width in SIZES:
            command = [sys.executable, "-m", "benchmarks.any_size", str(path), str(height), str(width)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            seconds, megabytes = map(float, printed)
            rows.append({"height": height, "width": width, "ms": round(1e3 * seconds, 1), "mb": round(megabytes)})
            print(rows[-1])
    write_csv("any_size", rows)


if __name__ == "__main__":
    run(sys.argv[1], *map(int, sys.argv[2:])) if sys.argv[1:] else main()
