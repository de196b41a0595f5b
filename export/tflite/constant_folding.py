"""Computes once what a model computes of its weights alone, for converters that cannot quantise such operations."""

from pathlib import Path

import tensorflow as tf
from tensorflow.lite.python.util import get_grappler_config, run_graph_optimizations
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lambda_keras.export.tflite.average_pools import pools_as_convolutions
from lambda_keras.export.tflite.signatures import SERVING_DEFAULT


def save_folded(
    function: tf.types.experimental.PolymorphicFunction, folder: Path, convolves_pools: bool = False
) -> None:
    """Writes the SavedModel of a function with constants in place of what does not depend on the images.

    A lambda layer expands its table of relative positions by products of two constants. TFLite's converter quantises
    one of the two alone, and the file does not run. Of the folded graph it makes the expanded table itself a constant:
    n·m·k numbers for n queries, m context positions and key depth k, 2.5 MB in float32 for a map of 14 by 14.

    Args:
        function: Function of `images` to a dict of `probabilities`, with one signature.
        folder: The folder to write.
        convolves_pools: Whether average pools become convolutions, see `pools_as_convolutions`.
    """
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    (images,), (probabilities,) = frozen.inputs, frozen.outputs
    graph = run_graph_optimizations(
        frozen.graph.as_graph_def(),
        input_arrays=[images],
        output_arrays=[probabilities],
        config=get_grappler_config(["constfold"]),
        graph=frozen.graph,
    )
    if convolves_pools:
        graph = pools_as_convolutions(graph, frozen.graph)

    @tf.function(input_signature=[tf.TensorSpec(images.shape, images.dtype, name="images")])
    def folded(pixels):
        (result,) = tf.graph_util.import_graph_def(graph, {images.name: pixels}, [probabilities.name], name="")
        return {"probabilities": result}

    # In the gradient of SiLU, constants of a frozen graph cannot be saved.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(tf.Module(), str(folder), signatures={SERVING_DEFAULT: folded}, options=options)
