"""A folder of SavedModels as a server offers it, and the image about which examples ask it."""

import re
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from lambda_keras.export.files import check_loadable
from lambda_keras.export.saved_model.signatures import CLASSIFY_BYTES, DETECT_BYTES
from lambda_keras.export.saved_model.warmup import ANY_SIZE
from lambda_keras.export.saved_model.writer import versions
from lambda_keras.export.tflite.signatures import SERVING_DEFAULT
from lambda_keras.zoo.errors import UserError

EXPECTED = "expected a folder of versions that `lambda-export saved-model` or `lambda-export detector` wrote"


@dataclass(frozen=True)
class Service:
    """The model of a server and the signature to ask.

    Attributes:
        name: The model's name in requests.
        folder: The folder of the versions, absolute.
        versions: Their folders, the oldest first.
        signature: `classify_bytes`, or `serving_default` of a model without a record, which lacks the former.
        input: The name of what the signature takes.
        image_shape: Height, width and channels of a normalised image; `None` where files are taken.
        image: The file to ask about; `None` for a generated image.
    """

    name: str
    folder: Path
    versions: tuple[Path, ...]
    signature: str
    input: str
    image_shape: tuple[int, ...] | None
    image: Path | None

    @property
    def takes_files(self) -> bool:
        """Whether it takes image files, not arrays."""
        return self.image_shape is None


def find_service(folder: Path, name: str | None = None, image: Path | None = None) -> Service:
    """Reads what the newest version in a folder offers.

    Args:
        folder: A folder of versions.
        name: What the server is to call the model; by default as the folder.
        image: An image file to ask about; by default a generated image.

    Raises:
        UserError: Its path has wildcards, there is no version, the newest is damaged or not of `lambda-export
            saved-model`, the name does not fit into an address, or the image is missing, or given to a model that takes
            arrays.

    Example:
        >>> find_service(Path("served"), "digits").signature  # doctest: +SKIP
        'classify_bytes'
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}; {EXPECTED}")
    folder = folder.resolve()
    check_loadable(folder)
    numbered = versions(folder)
    if not numbered:
        raise UserError(f"there is no version in {folder}; {EXPECTED}")
    name = name or folder.name
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
        raise UserError(f"a model's name has letters, digits, '_', '.' and '-', got {name!r}; give another by --name")
    signatures = _signatures(numbered[-1])
    takers_of_files = (name for name in (CLASSIFY_BYTES, DETECT_BYTES) if name in signatures)
    signature = next(takers_of_files, SERVING_DEFAULT)
    if signature not in signatures or len(signatures[signature].inputs) != 1:
        raise UserError(f"{numbered[-1]} has the signatures {', '.join(sorted(signatures))}; {EXPECTED}")
    ((input_name, tensor),) = signatures[signature].inputs.items()
    shape = None
    if signature == SERVING_DEFAULT:
        # -1 stands for any size.
        shape = tuple(ANY_SIZE if side.size < 0 else side.size for side in tensor.tensor_shape.dim[1:])
        if image:
            raise UserError(
                f"--image: {numbered[-1]} has no {CLASSIFY_BYTES}, as its model had no record; leave it out"
            )
    if image and not image.is_file():
        raise UserError(f"no such image: {image}")
    return Service(name, folder, tuple(numbered), signature, input_name, shape, image)


def _signatures(version):
    file = version / "saved_model.pb"
    try:
        (graph,) = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}; {EXPECTED}") from error
    except (DecodeError, ValueError) as error:
        raise UserError(f"{file} is damaged; export the model again") from error
    return graph.signature_def
