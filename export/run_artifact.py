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
    return lambda images: serving(images=tf.constant(images, tf.float32))["probabilities"].numpy(), shape.as_list()


def load_tflite(path):
    """The TFLite file's serving function and the shape of images that it takes, None where any size goes."""
    sys.modules["tensorflow"] = None
    from ai_edge_litert.interpreter import Interpreter

    serving = Interpreter(model_path=path).get_signature_runner("serving_default")
    image, probability = serving.get_input_details()["images"], serving.get_output_details()["probabilities"]

    def serve(images):
        return dequantized(serving(images=quantized(images, image))["probabilities"], probability)

    return serve, [None if n < 0 else int(n) for n in image["shape_signature"]]


def quantized(values, details):
    """Float values as the tensor of these details holds them; a float tensor holds them as they are."""
    if details["dtype"] != np.int8:
        return values
    scale, zero_point = details["quantization"]
    return np.clip(np.round(values / scale) + zero_point, -128, 127).astype("int8")


def dequantized(values, details):
    """What the values of the tensor of these details mean, as float."""
    if details["dtype"] != np.int8:
        return values
    scale, zero_point = details["quantization"]
    return np.float32(scale) * (values.astype("float32") - zero_point)


def in_batches(serve, images, batch_size, fixed_size):
    """What `serve` says of all images; where its batches have a fixed size, the last one is filled with zeros."""
    results = []
    for start in range(0, len(images), fixed_size or batch_size):
        batch = np.array(images[start : start + (fixed_size or batch_size)])
        missing = fixed_size - len(batch) if fixed_size else 0
        results.append(serve(np.pad(batch, [(0, missing), (0, 0), (0, 0), (0, 0)]))[: len(batch)])
    return np.concatenate(results)


def main(kind, artifact, images_path, probabilities_path, batch_size):
    """Writes the artifact's probabilities for all images."""
    serve, (fixed_size, *shape) = {"saved_model": load_saved_model, "tflite": load_tflite}[kind](artifact)
    images = np.load(images_path, mmap_mode="r", allow_pickle=False)
    if any(want not in (None, got) for want, got in zip(shape, images.shape[1:], strict=True)):
        raise SystemExit(f"it takes images {[fixed_size, *shape]}, the model's are {list(images.shape)}")
    np.save(probabilities_path, in_batches(serve, images, batch_size, fixed_size))


if __name__ == "__main__":
    main(*sys.argv[1:5], batch_size=int(sys.argv[5]))
