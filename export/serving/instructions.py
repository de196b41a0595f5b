"""What to type to serve a folder of SavedModels with TensorFlow Serving, and to ask it; the texts are in templates/."""

import base64
import importlib.metadata
import shlex
import string
from pathlib import Path

from lambda_keras.export.images.samples import encoded_picture
from lambda_keras.export.serving.service import Service

TEMPLATES = Path(__file__).with_name("templates")
# A generated picture is in the middle of a command, and therefore small.
PICTURE_SIZE = 16


def docker_command(service: Service) -> str:
    """The command that starts a server of the newest version, of the release of the installed messages."""
    image = f"tensorflow/serving:{importlib.metadata.version('tensorflow-serving-api')}"
    return _fill("docker.sh", service, folder=shlex.quote(str(service.folder)), image=image)


def sample_image() -> bytes:
    """The image file of the examples where none is given: a small generated PNG, which models of all channels take."""
    return encoded_picture(PICTURE_SIZE, PICTURE_SIZE, channels=3, number=1)


def curl_command(service: Service) -> str:
    """The command that asks over REST: about the image file, read when it runs, or the sample, which is part of it.

    A service that takes arrays is sent zeros, which Python writes when the command runs.
    """
    if service.image_shape is not None:
        height, width, channels = service.image_shape
        value = f"$(python3 -c 'print([[[0.0] * {channels}] * {width}] * {height})')"
    elif service.image:
        value = f"""{{"b64": "$(base64 < {shlex.quote(str(service.image.resolve()))} | tr -d '\\n')"}}"""
    else:
        value = f'{{"b64": "{base64.b64encode(sample_image()).decode()}"}}'
    return _fill("curl.sh", service, value=value)


def grpc_client(service: Service) -> str:
    """The program that asks over gRPC; its arguments are image files, or .npy files where arrays are taken."""
    files, batch = "images of any size", '[open(file, "rb").read() for file in files]'
    if service.image_shape is not None:
        shape = ", ".join(map(str, service.image_shape))
        files, batch = f".npy, normalised float32 [{shape}]", "np.stack([np.load(file) for file in files])"
    return _fill("client.py.txt", service, files=files, batch=batch)


def models_config(service: Service) -> str:
    """The configuration that serves the two newest versions, labelled stable and canary; one alone is stable."""
    labels = dict(zip(("stable", "canary"), (path.name for path in service.versions[-2:]), strict=False))
    return _fill(
        "models.config",
        service,
        versions=" ".join(f"versions: {version}" for version in labels.values()),
        labels="\n".join(
            f'    version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items()
        ),
    )


def instructions(service: Service) -> str:
    """All of them with headings."""
    parts = {
        "TensorFlow Serving: gRPC on port 8500, REST on 8501": docker_command(service),
        "A request over REST": curl_command(service),
        "A client over gRPC: client.py, which needs tensorflow-serving-api": grpc_client(service),
        f"Two versions side by side: {service.folder}/models.config": models_config(service),
    }
    return "\n".join(f"# {heading}\n\n{text}" for heading, text in parts.items())


def _fill(template, service, **values):
    text = string.Template((TEMPLATES / template).read_text("utf-8"))
    return text.substitute(name=service.name, signature=service.signature, input=service.input, **values)
