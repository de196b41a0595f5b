"""Run one artifact over images as a stranger to this project would: with its own runtime and numpy.

Executed by path in a fresh process (`python -I run_artifact.py …`), never imported. It refuses what a
stranger does not have: our packages, keras, and for a TFLite file TensorFlow itself.

    run_artifact.py saved_model|tflite ARTIFACT IMAGES.npy PROBABILITIES.npy BATCH_SIZE
"""

import sys

for name in ("lambda_keras", "zoo", "export", "keras", "tf_keras"):
    sys.modules[name] = None  # from here on `import name` raises ImportError

import numpy as np  # noqa: E402


def load_saved_model(path):
    """The SavedModel's serving function and the shape of images that it takes, None where any size goes."""
    import tensorflow as tf

    serving = tf.saved_model.load(path).signatures["serving_default"]
    shape = serving.structured_input_signature[1]["images"].shape
    return lambda images: serving(images=tf.constant(images))["probabilities"].numpy(), shape.as_list()


def load_tflite(path):
    """The TFLite file's serving function and the shape of images that it takes, None where any size goes."""
    sys.modules["tensorflow"] = None
    from ai_edge_litert.interpreter import Interpreter

    serving = Interpreter(model_path=path).get_signature_runner("serving_default")
    shape = serving.get_input_details()["images"]["shape_signature"]
    return lambda images: serving(images=images)["probabilities"], [None if n < 0 else int(n) for n in shape]


def main(kind, artifact, images_path, probabilities_path, batch_size):
    """Writes the artifact's probabilities for all images."""
    serve, shape = {"saved_model": load_saved_model, "tflite": load_tflite}[kind](artifact)
    images = np.load(images_path, mmap_mode="r", allow_pickle=False)
    if any(want not in (None, got) for want, got in zip(shape, (None, *images.shape[1:]), strict=True)):
        raise SystemExit(f"it takes images {shape}, the model's are {list(images.shape)}")
    batches = [serve(np.array(images[i : i + batch_size])) for i in range(0, len(images), batch_size)]
    np.save(probabilities_path, np.concatenate(batches))


if __name__ == "__main__":
    main(*sys.argv[1:5], batch_size=int(sys.argv[5]))
