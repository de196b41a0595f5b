"""What to type to serve a folder of SavedModels with TensorFlow Serving, and to ask it; the texts are in templates/."""

import base64
import dataclasses
import importlib.metadata
import json
import re
import shlex
import string
import textwrap
from pathlib import Path

from lambda_keras.export.files import put_files
from lambda_keras.export.images.samples import encoded_picture
from lambda_keras.export.serving.batching import Batching
from lambda_keras.export.serving.service import Service

TEMPLATES = Path(__file__).with_name("templates")
# A generated picture is in the middle of a command, and therefore small.
PICTURE_SIZE = 16
MODELS_CONFIG, BATCHING_CONFIG, MONITORING_CONFIG = "models.config", "batching.config", "monitoring.config"
# Flags of tensorflow_model_server. The three files are in /config of its container.
OPTIONS = (
    f"--model_config_file=/config/{MODELS_CONFIG}",
    "--model_config_file_poll_wait_seconds=60",
    "--allow_version_labels_for_unavailable_models=true",
    "--enable_batching=true",
    f"--batching_parameters_file=/config/{BATCHING_CONFIG}",
    f"--monitoring_config_file=/config/{MONITORING_CONFIG}",
    "--enable_grpc_healthcheck_service=true",
)


def docker_command(service: Service) -> str:
    """The command that starts a server of the newest version, of the release of the installed messages."""
    return _fill("docker.sh", service, folder=shlex.quote(str(service.folder)), image=_image())


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
        MODELS_CONFIG,
        service,
        versions=" ".join(f"versions: {version}" for version in labels.values()),
        labels="\n".join(
            f'    version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items()
        ),
    )


def files(service: Service) -> dict[str, str]:
    """By name, the files of a server that reloads, makes batches, is watched and says when it is ready, and a client.

    Example:
        >>> list(files(service))  # doctest: +SKIP
        ['models.config', 'batching.config', 'monitoring.config', 'compose.yaml', 'kubernetes.yaml', 'client.py']
    """
    configuration = {
        MODELS_CONFIG: models_config(service),
        BATCHING_CONFIG: _fill(BATCHING_CONFIG, service, **dataclasses.asdict(Batching())),
        MONITORING_CONFIG: _fill(MONITORING_CONFIG, service),
    }
    return {
        **configuration,
        "compose.yaml": _compose(service),
        "kubernetes.yaml": _kubernetes(service, configuration),
        "client.py": grpc_client(service),
    }


def _compose(service):
    # JSON's strings are YAML's too. Of `$` Compose makes variables, of `$$` a `$`.
    folder = json.dumps(str(service.folder), ensure_ascii=False).replace("$", "$$")
    return _fill("compose.yaml", service, image=_image(), options=_items(6), folder=folder, memory="2g")


def _kubernetes(service, configuration):
    blocks = (f"  {name}: |\n{textwrap.indent(text, '    ')}" for name, text in configuration.items())
    return _fill(
        "kubernetes.yaml",
        service,
        resource=_resource(service.name),
        image=_image(),
        files="".join(blocks).rstrip("\n"),
        options=_items(12),
        subfolder=json.dumps(service.folder.name, ensure_ascii=False),
        memory="2Gi",
    )


def _resource(name):
    """A name for Kubernetes: small letters, digits and hyphens, first a letter, last no hyphen, 63 at most."""
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (name if name[:1].isalpha() else f"model-{name}")[:63].strip("-")


def _items(indentation):
    """`OPTIONS` as a list of YAML."""
    return "\n".join(f"{' ' * indentation}- {option}" for option in OPTIONS)


def commands(service: Service) -> str:
    """The commands that start a server and ask it, with headings."""
    return _with_headings(
        {
            "TensorFlow Serving: gRPC on port 8500, REST on 8501": docker_command(service),
            "A request over REST": curl_command(service),
        }
    )


def instructions(service: Service) -> str:
    """The commands and `files`, with headings."""
    return f"{commands(service)}\n{_with_headings(files(service))}"


def write_files(service: Service, folder: Path) -> list[Path]:
    """Writes `files` into a folder, each beside its place and renamed.

    Args:
        service: What is served.
        folder: Made if it is missing. What has the same names there is replaced.

    Returns:
        The files.

    Raises:
        UserError: The folder or a file in it cannot be written.
    """
    return put_files(folder, {name: text.encode() for name, text in files(service).items()})


def _with_headings(parts):
    return "\n".join(f"# {heading}\n\n{text}" for heading, text in parts.items())


def _image():
    return f"tensorflow/serving:{importlib.metadata.version('tensorflow-serving-api')}"


def _fill(template, service, **values):
    text = string.Template((TEMPLATES / template).read_text("utf-8"))
    return text.substitute(name=service.name, signature=service.signature, input=service.input, **values)
