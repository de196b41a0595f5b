"""A model for images of another size than those it was made for."""

import warnings

import keras

from lambda_keras.keras_internals import shared_once
from lambda_keras.weights.assignment import assign, variables_by_name
from lambda_keras.weights.errors import WeightsWarning
from lambda_keras.weights.transfer import adapt
from lambda_keras.zoo.errors import UserError


def with_image_size(model: keras.Model, image_size: int, name: str) -> keras.Model:
    """Makes a model of the same layers and weights for images of another size.

    Position tables of a global scope are resized, and a `WeightsWarning` says so; all other weights stay as they are.

    Args:
        model: A classifier, as `lambda_keras.zoo.models.loading.load_classifier` returns it.
        image_size: Side of the images in pixels.
        name: What to call the model in messages.

    Returns:
        A `keras.Model`: the same one if it takes this size.

    Raises:
        UserError: Its layers or weights fit one size only.
    """
    height, width, channels = model.input_shape[1:]
    if {height, width} <= {None, image_size}:
        return model
    try:
        with shared_once():
            resized = keras.models.clone_model(model, input_tensors=keras.Input((image_size, image_size, channels)))
        tensors = {path: keras.ops.convert_to_numpy(variable) for path, variable in variables_by_name(model).items()}
        # Values that are not finite are found, and said of the model, where it classifies.
        report = assign(resized, source=name, allow_non_finite=True, **vars(adapt(resized, tensors)))
    except ValueError as error:
        raise UserError(
            f"{name} takes images of {height}x{width} only, got {image_size}x{image_size}: {error}"
        ) from error
    if not report.is_exact:
        warnings.warn(str(report), WeightsWarning, stacklevel=2)
    return resized
