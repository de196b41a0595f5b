"""Write a page that classifies pictures in a browser, with LiteRT.js and a TFLite file."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from lambda_keras.export.files import scratch_folder
from lambda_keras.export.tflite.contents import quantization_of, takes_pictures
from lambda_keras.export.tflite.metadata import has_metadata
from lambda_keras.export.tflite.quantization import INT8, INT8_FLOAT_IO
from lambda_keras.zoo.errors import UserError, writing

SOURCES = Path(__file__).parent
CHANNELS = (1, 3)
# Of the four builds of LiteRT.js's WebAssembly, 9 MB each, the page takes one of two.
UNUSED = ("*_threaded_*", "*_jspi_*", "*.map")


def write_web_page(model: Path, out: Path) -> Path:
    """Writes a folder that any web server can offer: a page, the model and LiteRT.js.

    Nothing in it comes from another server later, and pictures stay in the browser. The page reads from the file
    itself how it wants images and what its classes are called. npm fetches the version of LiteRT.js that
    `package-lock.json` names and checks its hash.

    Args:
        model: A file of `lambda-export tflite --batch 1`, from a model with a record. Of the int8 kinds it must be
            `int8-float-io`: LiteRT.js has no tensors of int8. Its images have 1 or 3 channels.
        out: The folder to write; it must not exist, or be empty.

    Returns:
        `out`.

    Raises:
        UserError: The file is missing, damaged or not of this sort, the folder has something in it or cannot be
            written, npm is missing, or it cannot fetch LiteRT.js.

    Example:
        >>> write_web_page(Path("runs/digits/int8.tflite"), Path("page"))  # doctest: +SKIP
        PosixPath('page')
    """
    _check(model)
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise UserError(f"{out} exists and is not an empty folder; remove it, or give another name")
    with scratch_folder(out.parent) as scratch:
        page = scratch / "page"
        with writing(out):
            page.mkdir()
            _fetch_litert(scratch / "npm", page / "litert")
            shutil.copy(SOURCES / "index.html", page)
            shutil.copy(model, page / "model.tflite")
            os.replace(page, out)
    return out


def _check(path):
    if not path.is_file():
        raise UserError(f"no such file: {path}; `lambda-export tflite` writes it")
    if quantization_of(path) == INT8:
        raise UserError(f"{path} takes int8, which LiteRT.js does not give; export it with --quantize {INT8_FLOAT_IO}")
    if takes_pictures(path):
        raise UserError(f"{path} makes pictures ready itself, as the page does; export it without --any-size")
    content = path.read_bytes()
    if not has_metadata(content):
        raise UserError(
            f"{path} does not say how it wants images; export it with `lambda-export tflite` from a model with a record"
        )
    graph = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0]
    image = graph.tensors[graph.inputs[0]]
    channels = image.shape[-1]
    if channels not in CHANNELS:
        raise UserError(
            f"{path} takes images of {channels} channels; a page has pictures in colour or grey, 3 channels or 1, "
            "because a browser does not keep the colours of what is transparent"
        )
    batch_size = image.shape[0] if image.shapeSignature is None else image.shapeSignature[0]
    if batch_size != 1:
        batch = "any number of" if batch_size == -1 else batch_size
        raise UserError(f"{path} takes {batch} images at once, the page gives one; export it with --batch 1")


def _fetch_litert(folder, out):
    """Has npm fetch LiteRT.js into `folder`, running no scripts of packages; moves what the page needs to `out`."""
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UserError("npm, which fetches LiteRT.js, is not installed; install Node.js") from error
    if process.returncode:
        reasons = re.findall(r"^npm error (.+)$", process.stderr, re.MULTILINE)[:2]
        raise UserError(f"npm could not fetch LiteRT.js: {'; '.join(reasons)}")
    packages = folder / "node_modules" / "@litertjs"
    for pattern in UNUSED:
        for file in packages.rglob(pattern):
            file.unlink()
    os.replace(packages, out)
