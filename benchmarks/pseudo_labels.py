"""What 130 million pseudo-labels take: images a second and bytes a record, measured; time, storage and cost, simulated.

    python -m benchmarks.pseudo_labels

measures on this machine a teacher and a student of the paper and the hashes by which copies are found, by the
processor's time, so that what runs beside it does not count, and what a label and a selected record take on disk. With
these it simulates the labelling on fleets of machines of one core each, which fail and of which some are slow: as jobs
that have their shards from the start (`--shard I/N`), and as a pipeline whose machines take the next shard when they
are free (`--runner`). Writes results/pseudo_labels.csv and results/pseudo_labels_measured.csv.

The failures, the slow machines and the price are assumptions, below. A machine that fails is back after
`RESTART_SECONDS`, in which it loads the teacher, and begins its shard anew.
"""

import argparse
import heapq
import io
import math
import pathlib
import tempfile
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks.networks import build, training_step
from benchmarks.timing import write_csv
from lambda_keras.weights import Preprocessor
from lambda_keras.zoo.pseudo_labels import labelling, soft_labels, source
from lambda_keras.zoo.pseudo_labels.hashes import hash_all
from lambda_keras.zoo.pseudo_labels.images import Found

IMAGES = 130_000_000
IMAGES_PER_SHARD = 1000
CLASSES = 1000
TEACHER, TEACHER_SIZE = "lambda_resnet152", 224
STUDENT, STUDENT_SIZE = "lambda_resnet50", 160
WORKERS = (100, 1000, 10_000)
# Of the students' training: epochs over 1,281,167 labelled images, and three pseudo-labelled images beside each.
STUDENT_IMAGES = 350 * 1_281_167 * 4
# Assumptions. A machine fails once in so many hours: one that may be taken away lives about a day.
HOURS_BETWEEN_FAILURES = 24.0
RESTART_SECONDS = 120.0
# So many machines take so many times as long, because others use theirs too.
SLOW_SHARE, SLOWNESS = 0.05, 3.0
# US dollars for an hour of a core, about what clouds ask for cores that they may take away.
PRICE = 0.015
MEASURED_IMAGES, STUDENT_BATCH = 32, 8
# Bytes that a TFRecord file has around each record: its length and two checksums.
RECORD_FRAME = 16


class Labels(NamedTuple):
    """What labelling some JPEGs came to.

    Attributes:
        rate: Images/s of a core.
        hashed: Images/s of a core that are read and hashed, to look for copies.
        hash_bytes: What the hashes of an image take in memory.
        label_bytes: What a label takes on disk.
        record_bytes: What a selected record takes, with its picture.
    """

    rate: float
    hashed: float
    hash_bytes: float
    label_bytes: float
    record_bytes: float


class Outcome(NamedTuple):
    """What a simulation came to.

    Attributes:
        hours: From the start until the last shard is labelled.
        core_hours: Hours of all machines, each until it has nothing left to do.
        failures: How often machines failed.
    """

    hours: float
    core_hours: float
    failures: int


def simulate(shards, seconds, workers, *, shared, failing_hours=None, slow_share=0.0, seed=0):
    """Labels shards on machines that fail and of which some are slow.

    Without failures and slow machines all is known: `RESTART_SECONDS` to begin, and ceil(shards / workers) shards each.

    Args:
        shards: How many.
        seconds: What one takes.
        workers: How many machines.
        shared: Whether a machine takes the next shard of all when it is free; otherwise machine `i` has the shards
            `i`, `i + workers` and so on.
        failing_hours: The mean of the hours between two failures of a machine, which are exponentially distributed;
            `None` for none.
        slow_share: The share of machines that take `SLOWNESS` times as long.
        seed: Of what is drawn.

    Returns:
        An `Outcome`.

    Example:
        >>> outcome = simulate(10, 60, 4, shared=True)
        >>> outcome.hours == (RESTART_SECONDS + 3 * 60) / 3600
        True
    """
    generator = np.random.default_rng(seed)
    mean = math.inf if failing_hours is None else 3600 * failing_hours

    def lifetime():
        return math.inf if mean == math.inf else generator.exponential(mean)

    takes = np.where(generator.permutation(workers) < round(slow_share * workers), SLOWNESS, 1.0) * seconds
    dies = [RESTART_SECONDS + lifetime() for _ in range(workers)]
    left = [shards] if shared else [len(range(worker, shards, workers)) for worker in range(workers)]
    free = [(RESTART_SECONDS, worker) for worker in range(workers)]
    busy, failures, now = 0.0, 0, 0.0
    while free:
        now, worker = heapq.heappop(free)
        queue = 0 if shared else worker
        if left[queue] == 0:
            busy += now
            continue
        left[queue] -= 1
        end = now + takes[worker]
        while end > dies[worker]:
            failures += 1
            back = dies[worker] + RESTART_SECONDS
            dies[worker] = back + lifetime()
            end = back + takes[worker]
        heapq.heappush(free, (end, worker))
    return Outcome(float(now) / 3600, float(busy) / 3600, failures)


def jpegs(count):
    """Files of JPEGs of 500×375 pixels, about what ImageNet has: pieces of scikit-learn's photographs, made larger."""
    random = np.random.default_rng(0)
    photographs = load_sample_images().images
    for number in range(count):
        top, left = random.integers(0, 427 - 240), random.integers(0, 640 - 320)
        piece = Image.fromarray(photographs[number % 2][top : top + 240, left : left + 320])
        file = io.BytesIO()
        piece.resize((500, 375), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        yield file.getvalue()


def per_second_of_a_core(function, count):
    """How many of `count` things a function does in a second of a core; what else runs on the machine takes none."""
    start = time.process_time()
    function()
    return count / (time.process_time() - start)


def measure_teacher(folder):
    """Labels JPEGs as `lambda-zoo pseudo-label` does, and hashes them as `select` does; returns `Labels`."""
    files = list(jpegs(MEASURED_IMAGES))
    for number, content in enumerate(files):
        (folder / f"n01440764_{number:05}.JPEG").write_bytes(content)
    images = source.find(source.Place(str(folder)))
    model = build(TEACHER, TEACHER_SIZE)
    classify = tf.function(lambda batch: tf.nn.softmax(model(tf.cast(batch, tf.float32) / 127.5 - 1, training=False)))
    classify(np.zeros((MEASURED_IMAGES, TEACHER_SIZE, TEACHER_SIZE, 3), "uint8"))
    labels = []

    def label():
        for batch in labelling.batches(images, [0], Preprocessor(TEACHER_SIZE), MEASURED_IMAGES):
            labels.append((batch.ids, soft_labels.most_probable(classify(batch.images).numpy(), labelling.TOP)))

    rate = per_second_of_a_core(label, MEASURED_IMAGES)
    ((ids, columns),) = labels
    rows = zip(ids, *(column.tolist() for column in columns), strict=True)
    examples = [soft_labels.to_example(identifier, b"0-1000", *label) for identifier, *label in rows]
    label_bytes = sum(example.ByteSize() for example in examples) / len(examples) + RECORD_FRAME
    found = [Found(0, place, b"", content) for place, content in enumerate(files)]
    hashed = hash_all(found)
    hash_rate = per_second_of_a_core(lambda: hash_all(found), MEASURED_IMAGES)
    hash_bytes = sum(column.nbytes for column in (hashed.shards, hashed.places, *hashed.hashes)) / MEASURED_IMAGES
    return Labels(rate, hash_rate, hash_bytes, label_bytes, label_bytes + sum(map(len, files)) / len(files))


def measure_student():
    """Images/s of a core in a training step."""
    step = training_step(build(STUDENT, STUDENT_SIZE), STUDENT_BATCH)
    step()
    steps = 4
    return per_second_of_a_core(lambda: [step() for _ in range(steps)], steps * STUDENT_BATCH)


def simulated(rate, price):
    """A row for each fleet and way to share the work."""
    shards, seconds = math.ceil(IMAGES / IMAGES_PER_SHARD), IMAGES_PER_SHARD / rate
    for workers in WORKERS:
        ideal = simulate(shards, seconds, workers, shared=True)
        for way, shared in (("jobs, --shard I/N", False), ("pipeline, --runner", True)):
            outcome = simulate(
                shards, seconds, workers, shared=shared, failing_hours=HOURS_BETWEEN_FAILURES, slow_share=SLOW_SHARE
            )
            yield {
                "workers": workers,
                "way": way,
                "hours": f"{outcome.hours:.1f}",
                "hours_without_failures": f"{ideal.hours:.1f}",
                "core_hours": round(outcome.core_hours),
                "failures": outcome.failures,
                "cost": round(outcome.core_hours * price),
            }


def main():
    """Measures, simulates, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--price", type=float, default=PRICE, help=f"of an hour of a core (default: {PRICE})")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels = measure_teacher(pathlib.Path(folder))
    student = measure_student()
    core_hours = STUDENT_IMAGES / student / 3600
    measured = [
        (f"{TEACHER} at {TEACHER_SIZE} labels, images/s of a core", f"{labels.rate:.2f}"),
        (f"{STUDENT} at {STUDENT_SIZE} trains, images/s of a core", f"{student:.2f}"),
        ("images/s of a core that select hashes", f"{labels.hashed:.0f}"),
        ("bytes of a label", f"{labels.label_bytes:.0f}"),
        ("bytes of a selected record, with its picture", f"{labels.record_bytes:.0f}"),
        ("labels of 130 million images (GB)", f"{IMAGES * labels.label_bytes / 1e9:.1f}"),
        ("130 million selected records (TB)", f"{IMAGES * labels.record_bytes / 1e12:.2f}"),
        ("to hash 130 million images (core-hours)", f"{IMAGES / labels.hashed / 3600:.0f}"),
        ("their hashes in memory (GB)", f"{IMAGES * labels.hash_bytes / 1e9:.1f}"),
        ("to train the student for 350 epochs (million core-hours)", f"{core_hours / 1e6:.3f}"),
        ("the same (US dollars)", f"{core_hours * arguments.price:.0f}"),
    ]
    # The figures of both files belong together: they are of one device.
    write_csv("pseudo_labels_measured", [{"what": what, "value": value} for what, value in measured], replace_all=True)
    rows = list(simulated(labels.rate, arguments.price))
    for row in (*measured, *(row.values() for row in rows)):
        print(*row, sep="\t")
    write_csv("pseudo_labels", rows, replace_all=True)


if __name__ == "__main__":
    main()
