"""Preprocessing: a layer that makes images of any size what a model takes, saved as a part of the model."""

import dataclasses
import typing

import keras
from keras import ops

from lambda_keras.weights.preprocessor import Preprocessor


@keras.saving.register_keras_serializable(package="lambda_keras")
class Preprocessing(keras.layers.Layer):
    """Resizes, crops and normalises images as a `Preprocessor` says, inside the model that takes them.

    An image is resized with antialiasing so that its shorter side is `image_size / evaluation_crop`, the middle of
    `image_size` is cut out, rounded to whole numbers from 0 to 255, and each channel normalised: what `lambda-zoo` does
    with the images that it evaluates on. Both axes are matrix products, which every backend and exported file has; of
    pictures of a camera they take longer than cutting out what is computed would.

    Args:
        preprocessor: How the model wants its images: a `lambda_keras.weights.Preprocessor`, as
            `lambda_keras.preprocessor_of` returns, or a dict of its fields.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`. Images are resized in float32 under
            every policy.

    Call arguments:
        images: uint8 or float `[batch, height, width, channels]` with values from 0 to 255; height and width may be
            unknown.

    Returns:
        `[batch, image_size, image_size, channels]` in the compute dtype.

    Raises:
        ValueError: The channels are not those of the preprocessor, or it says `interpolation="nearest"`.

    Example:
        >>> network = lk.create_model("lambda_resnet_tiny")
        >>> prepare = lk.layers.Preprocessing(lk.preprocessor_of("lambda_resnet_tiny"))
        >>> images = keras.Input((None, None, 3), dtype="uint8")
        >>> whole = keras.Model(images, network(prepare(images)))
        >>> whole.predict(np.zeros((1, 480, 640, 3), "uint8"), verbose=0).shape
        (1, 10)
    """

    def __init__(self, preprocessor: Preprocessor | dict[str, typing.Any], **kwargs: typing.Any) -> None:
        super().__init__(**kwargs)
        self.preprocessor = Preprocessor(**preprocessor) if isinstance(preprocessor, dict) else preprocessor
        if self.preprocessor.interpolation not in _KERNELS:
            raise ValueError(
                f"{self.name} resizes by {' or '.join(_KERNELS)}. Received: "
                f"interpolation={self.preprocessor.interpolation!r}"
            )

    def build(self, images_shape: tuple[int | None, ...]) -> None:
        """Checks the shape; there are no weights."""
        channels = self.preprocessor.channels
        if len(images_shape) != 4 or images_shape[-1] != channels:
            raise ValueError(
                f"{self.name} takes images [batch, height, width, {channels}]. Received: images.shape={images_shape}"
            )
        self.built = True

    def call(self, images: typing.Any) -> typing.Any:
        """Returns the images as the model takes them; see the class."""
        size, kernel = self.preprocessor.image_size, _KERNELS[self.preprocessor.interpolation]
        # Rounded as timm does.
        shorter = int(size / self.preprocessor.evaluation_crop)
        height, width = ops.shape(images)[1:3]
        smallest, channels = ops.minimum(height, width), self.preprocessor.channels
        rows, columns = (_samples(side, shorter, smallest, size, kernel) for side in (height, width))
        # The height first, of rows in one piece: TFLite has these products.
        images = ops.reshape(ops.cast(images, "float32"), (-1, height, width * channels))
        images = ops.reshape(ops.matmul(rows, images), (-1, size, width, channels))
        images = ops.matmul(columns, images)
        # Bicubic interpolation overshoots at edges. A picture has whole numbers.
        images = ops.round(ops.clip(images, 0.0, 255.0)) / 255.0
        mean, std = (ops.convert_to_tensor(x, "float32") for x in (self.preprocessor.mean, self.preprocessor.std))
        return ops.cast((images - mean) / std, self.compute_dtype)

    def compute_output_shape(self, images_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, image_size, image_size, channels)`."""
        size = self.preprocessor.image_size
        return (images_shape[0], size, size, self.preprocessor.channels)

    def get_config(self) -> dict[str, typing.Any]:
        """Every argument of the constructor."""
        return {**super().get_config(), "preprocessor": dataclasses.asdict(self.preprocessor)}


def _samples(side, shorter, smallest, size, kernel):
    """What the middle `size` of a side takes from each of its pixels, once the smallest side is `shorter`.

    Returns:
        float32 `[size, side]`, rows whose sum is 1.
    """
    resized = ops.maximum(side * shorter // smallest, shorter)
    corner = ops.round((ops.cast(resized, "float32") - size) / 2)
    # Pixels of the side for each of the result.
    step = ops.cast(side, "float32") / ops.cast(resized, "float32")
    centers = (ops.arange(size, dtype="float32") + corner + 0.5) * step - 0.5
    # Antialiasing: where the image becomes smaller, the kernel becomes wider.
    distances = ops.abs(centers[:, None] - ops.arange(side, dtype="float32")) / ops.maximum(step, 1.0)
    weights = kernel(distances)
    return weights / ops.sum(weights, axis=1, keepdims=True)


def _triangle(x):
    return ops.maximum(1.0 - x, 0.0)


def _keys_cubic(x):
    """Keys' cubic convolution with a = -1/2, as in Pillow and TensorFlow (https://doi.org/10.1109/TASSP.1981.1163711)."""
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return ops.where(x < 1.0, near, ops.where(x < 2.0, far, 0.0))


_KERNELS = {"bilinear": _triangle, "bicubic": _keys_cubic}
