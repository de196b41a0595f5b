"""The memory that a Mask R-CNN takes for one image, and how it grows with the image.

    python -m benchmarks.detector_memory

writes results/detector_memory.csv: for inference and for one training gradient, in a `tf.function` without XLA and in
float32, the peak memory of a process of its own, and by how much that is above the peak when the model is built. The
gradient is also measured as the recipes at 1024 pixels have it, which compute the blocks of the backbone again.
"""

import argparse
import subprocess
import sys

from benchmarks.process_memory import PEAK, memory
from benchmarks.timing import write_csv

BACKBONE, CLASSES = "lambda_resnet50", 80
SIZES = (512, 1024)


def inference(config, model):
    """A function without arguments that finds the objects of an image."""
    import tensorflow as tf

    from lambda_keras.zoo.detection.detections import detect

    size = config.image_size
    images, contents = tf.random.stateless_normal((1, size, size, 3), (0, 1)), tf.fill([1, 2], float(size))
    return tf.function(lambda: detect(config, model, images, contents).scores, autograph=False)


def gradient(config, model):
    """A function without arguments that computes the gradient of an image with twenty objects."""
    import numpy as np
    import tensorflow as tf

    from lambda_keras.zoo.detection import losses
    from lambda_keras.zoo.detection.data.input_pipeline import MAX_OBJECTS
    from lambda_keras.zoo.detection.data.masks import MASK_SIZE
    from lambda_keras.zoo.detection.forward import mask_rcnn_terms

    size, objects = config.image_size, 20
    random = np.random.default_rng(0)
    corners = random.uniform(0, 0.7, (objects, 2))
    boxes, classes = np.full((1, MAX_OBJECTS, 4), -1.0), np.full((1, MAX_OBJECTS), -1)
    boxes[0, :objects] = size * np.concatenate([corners, corners + random.uniform(0.05, 0.3, (objects, 2))], 1)
    classes[0, :objects] = random.integers(1, 1 + config.classes, objects)
    batch = {
        "boxes": tf.constant(boxes, tf.float32),
        "classes": tf.constant(classes, tf.int32),
        "masks": tf.ones((1, MAX_OBJECTS, MASK_SIZE, MASK_SIZE), tf.uint8),
        "mask_frames": tf.constant(boxes, tf.float32),
    }
    images, seeds = tf.random.stateless_normal((1, size, size, 3), (0, 1)), tf.constant([[0, 1]])

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            terms = mask_rcnn_terms(config, model, images, batch, seeds)
            loss = losses.mean(terms, {name: term.count for name, term in terms.items()})
        gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        return tf.add_n([tf.reduce_sum(gradient) for gradient in gradients if gradient is not None])

    return step


# By name what is computed, and the fields of the backbone's configuration.
WORK = {
    "inference": (inference, {}),
    "gradient": (gradient, {}),
    "gradient, blocks computed again": (gradient, {"remat": "blocks"}),
}


def run_alone(make, config):
    """Prints how much memory the process had taken when the model was built, and at its end, in bytes."""
    from lambda_keras.zoo.detection.model import build_mask_rcnn

    function = make(config, build_mask_rcnn(config))
    before = memory(PEAK)
    function().numpy()
    print(before, memory(PEAK))


def measure(work, size):
    """What `run_alone` prints in a process of its own: bytes with the model alone, and at most."""
    command = [sys.executable, "-m", "benchmarks.detector_memory", "--alone", work, str(size)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    before, peak = map(int, printed.split()[-2:])
    return before, peak


def main():
    """Measures each in a process, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alone", nargs=2, metavar=("WORK", "SIZE"), help="measure one in this process")
    alone = parser.parse_args().alone
    if alone:
        from lambda_keras.zoo.detection.model import MaskRCNN

        make, overrides = WORK[alone[0]]
        run_alone(make, MaskRCNN(BACKBONE, CLASSES, int(alone[1]), overrides=overrides))
        return
    rows = []
    for work in WORK:
        growths = []
        for size in SIZES:
            before, peak = measure(work, size)
            growths.append(peak - before)
            rows.append(
                {
                    "work": work,
                    "backbone": BACKBONE,
                    "image_size": size,
                    "peak_gigabytes": f"{peak / 1e9:.2f}",
                    "growth_gigabytes": f"{growths[-1] / 1e9:.2f}",
                    "growth_ratio": f"{growths[-1] / growths[0]:.2f}",
                }
            )
            print(rows[-1], flush=True)
    write_csv("detector_memory", rows)


if __name__ == "__main__":
    main()
