"""Files of weights: downloaded by libraries made for it, and never used before their hash is checked."""

import contextlib
import hashlib
import os
import pathlib
import re
from collections.abc import Sequence

from lambda_keras.atomic import mode_of_new_files
from lambda_keras.weights.connection import check_connection
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.formats.pickles import refuse_pickle
from lambda_keras.weights.row import WeightsRecord

IN_PACKAGE = pathlib.Path(__file__).with_name("shipped")


def fetch(record: WeightsRecord, offline: bool | None = None) -> pathlib.Path:
    """Downloads the file of a catalog row, unless it is in the cache or came with this package.

    The Hub's files are in the cache of `huggingface_hub` (`HF_HOME`, `HF_HUB_CACHE`), those of plain URLs under
    `LAMBDA_KERAS_CACHE`, by default the system's folder for caches. With `LAMBDA_KERAS_OFFLINE=1` there is no request.

    Args:
        record: A `lambda_keras.weights.row.WeightsRecord`.
        offline: Whether to make no request; by default what `LAMBDA_KERAS_OFFLINE` says.

    Returns:
        `pathlib.Path` of a file that has the record's hash, or the Hub's if the record has none.

    Raises:
        WeightsError: The file is unavailable, or comes only with another hash; such a file is not kept.

    Example:
        >>> path = fetch(catalog.find("lambda_resnet50ts", "imagenet"))
    """
    if record.is_in_package:
        return _verify_in_package(record)
    if record.repository is not None:
        return fetch_from_hub(record.repository, record.file, record.revision, record.sha256, offline)
    return fetch_from_urls(record.name, record.file, record.urls, record.sha256, record.md5, offline)


def fetch_from_hub(
    repository: str,
    file: str,
    revision: str | None = None,
    sha256: str | None = None,
    offline: bool | None = None,
) -> pathlib.Path:
    """Downloads a file of the Hugging Face Hub, unless it is in the cache.

    `huggingface_hub` does it: its cache and locks, resumed downloads, proxies, `HF_ENDPOINT`, `HF_HUB_OFFLINE`. The
    hash is checked here each time, for a cached file too; where it is wrong, the file is downloaded once more.

    Args:
        repository: Name of the repository, `owner/name`.
        file: Path of the file in it.
        revision: Branch, tag or commit; by default the main branch.
        sha256: The file's hash; by default the one that the Hub has for it.
        offline: As for `fetch`.

    Returns:
        `pathlib.Path` of the verified file.

    Raises:
        WeightsError: The file is unavailable, has no hash, or only comes with another one; such a file is not kept.
    """
    refuse_pickle(file)
    offline = _is_offline() if offline is None else offline
    problems = []
    try:
        for _ in range(2):
            path = _hub_file(repository, file, revision, offline)
            expected = sha256 or _hash_on_hub(path, repository, file, offline)
            found = _hash_like(expected, path)
            if found == expected:
                return path
            _remove_from_hub_cache(path)
            problems.append(f"its hash was {found}, not {expected}, so the file was removed")
    # Errors of the HTTP client, of the Hub and of the Xet storage have no class in common.
    except Exception as error:
        problems.append(_describe(error))
        raise _hub_error(repository, file, revision, problems) from error
    raise _hub_error(repository, file, revision, problems)


def fetch_from_urls(
    name: str,
    file: str,
    urls: Sequence[str],
    sha256: str | None = None,
    md5: str | None = None,
    offline: bool | None = None,
) -> pathlib.Path:
    """Downloads a file of plain URLs, unless it is in the cache.

    Args:
        name: What to call it in messages, and its folder in the cache.
        file: Its name.
        urls: Where it is, the main place first.
        sha256: Its hash, if known.
        md5: Its hash where no SHA-256 is known.
        offline: As for `fetch`.

    Returns:
        `pathlib.Path` of the verified file.

    Raises:
        WeightsError: The file is unavailable, has no hash, or only comes with another one; such a file is not kept.
    """
    import pooch

    refuse_pickle(file)
    offline = _is_offline() if offline is None else offline
    algorithm, expected = ("sha256", sha256) if sha256 else ("md5", md5)
    if expected is None:
        raise WeightsError(f"The record of {name} has neither sha256 nor md5, so its file cannot be verified.")
    folder = pathlib.Path(os.environ.get("LAMBDA_KERAS_CACHE") or pooch.os_cache("lambda_keras")).expanduser()
    path = folder / name / file
    problems = []
    try:
        if path.exists():
            if pooch.file_hash(path, algorithm) == expected:
                return path
            path.unlink()
            problems.append("the file in the cache had another hash and was removed")
    except OSError as error:
        problems.append(_describe(error))
    if offline:
        problems.append("it is not in the cache, and no download is allowed (LAMBDA_KERAS_OFFLINE)")
    else:
        for url in urls:
            downloads = pooch.create(
                path.parent,
                base_url="",
                registry={file: f"{algorithm}:{expected}"},
                urls={file: url},
                retry_if_failed=1,
            )
            try:
                # pooch checks the hash before the download gets its name. By default it writes 1 KiB at a time.
                downloads.fetch(file, downloader=pooch.HTTPDownloader(progressbar=True, chunk_size=2**20))
                # pooch's files are for their owner alone, but a cache may be of several users.
                with contextlib.suppress(OSError):
                    path.chmod(mode_of_new_files(path.parent))
                return path
            except (OSError, ValueError) as error:
                problems.append(f"{url}: {_describe(error)}")
    raise WeightsError(
        f"There is no verified file of {name}. {'; '.join(problems)}. To place it by hand, download "
        f"{' or '.join(urls)} elsewhere and copy it to {path}; its {algorithm} must be {expected}. "
        "LAMBDA_KERAS_CACHE names another folder."
    )


def sha256_of(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_in_package(record):
    """The path of a file that came with this package, if it is as it came."""
    path = IN_PACKAGE / record.file
    try:
        found = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}): install lambda-keras again.") from error
    if found != record.sha256:
        raise WeightsError(f"{path} has the sha256 {found}, not {record.sha256}: install lambda-keras again.")
    return path


def _is_offline():
    return os.environ.get("LAMBDA_KERAS_OFFLINE", "").upper() in ("1", "ON", "TRUE", "YES")


def _hub_file(repository, file, revision, offline):
    """Path of a file in the Hub's cache, downloaded if need be."""
    import huggingface_hub

    path = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision)
    if not offline:
        # Without a network the Hub's library would try five more times, for half a minute.
        if not (isinstance(path, str) or huggingface_hub.constants.HF_HUB_OFFLINE):
            check_connection(huggingface_hub.constants.ENDPOINT)
        return pathlib.Path(huggingface_hub.hf_hub_download(repository, file, revision=revision))
    # `hf_hub_download(local_files_only=True)` may still send a request, for telemetry.
    if not isinstance(path, str):
        raise FileNotFoundError("it is not in the cache, and no download is allowed (LAMBDA_KERAS_OFFLINE)")
    return pathlib.Path(path)


def _hash_on_hub(path, repository, file, offline):
    """The hash of a cached file by the Hub's account."""
    import huggingface_hub

    if path.is_symlink():
        # A cached file is a link to a blob, whose name is the hash. The blob may be a link in its turn.
        return path.readlink().name
    if offline:
        raise FileNotFoundError(
            "the cache has no links, so only the Hub knows its hash, and no request is allowed (LAMBDA_KERAS_OFFLINE)"
        )
    commit = path.parents[file.count("/")].name
    return huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repository, file, revision=commit)).etag


def _hash_like(expected, path):
    """The hash of a file, of the kind of another one: SHA-256, or git's SHA-1, which the Hub has for small files."""
    if re.fullmatch("[0-9a-f]{64}", expected):
        return sha256_of(path)
    if re.fullmatch("[0-9a-f]{40}", expected):
        content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    raise ValueError(f"{expected!r} is neither a SHA-256 nor git's SHA-1, so the file cannot be verified")


def _remove_from_hub_cache(path):
    """Removes a file and, as far as they are in the cache, the blobs to which it is a link."""
    from huggingface_hub import constants

    cache = pathlib.Path(constants.HF_HUB_CACHE).expanduser().resolve()
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink(missing_ok=True)
        path = target
    if path.parent.resolve().is_relative_to(cache):
        path.unlink(missing_ok=True)


def _hub_error(repository, file, revision, problems):
    from huggingface_hub import constants

    revision = revision or constants.DEFAULT_REVISION
    folder = "models--" + repository.replace("/", "--")
    return WeightsError(
        f"There is no verified {file} of {repository}. {constants.ENDPOINT}/{repository}/resolve/{revision}/{file}: "
        f"{'; then: '.join(problems)}. To place it by hand, run on another machine "
        f"`hf download {repository} {file} --revision {revision}` and copy the folder {folder} of its cache to "
        f'{constants.HF_HUB_CACHE}/{folder}; or pass a path instead of the name: weights="…/{file}", or its folder.'
    )


def _describe(error):
    """An error and its cause on one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    cause = error.__cause__
    return f"{text} (because of {type(cause).__name__}: {' '.join(str(cause).split())})" if cause else text
