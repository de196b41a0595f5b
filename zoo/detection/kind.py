"""Whether what somebody names is a detector: asked without the packages that detectors alone need."""

import json
from pathlib import Path

from lambda_keras.zoo import run_folder

# A record has some kB; what is larger was not written by this project, and is not read.
LARGEST_RECORD = 10**7


def is_detector(source: str | Path) -> bool:
    """Whether a folder or a file is that of a detector, by the record beside the model, whole or damaged.

    Args:
        source: As for `lambda_keras.zoo.run_folder.model_file`; it may be anything else that names a model.
    """
    file = run_folder.model_file(source)
    record = file.with_name(run_folder.RECORD)
    try:
        if not file.exists() or record.stat().st_size > LARGEST_RECORD:
            return False
        return "network" in json.loads(record.read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return False
