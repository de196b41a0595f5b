import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
import time
import urllib.request

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from lambda_keras.weights import catalog
from lambda_keras.weights.errors import WeightsError
from lambda_keras.weights.fetch import fetch, fetch_from_hub, sha256_of
from tests.lambda_keras.weights.hub_server import COMMIT, HubServer

pytestmark = pytest.mark.network
REPOSITORY, FILE = "someone/network", "model.safetensors"
CONTENT = np.random.default_rng(0).bytes(1000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL_RECORD = catalog.warm_starts("resnet_rs50")[0]
# What goes wrong with downloads, and whether the file comes from the Hub and from a plain URL in the end. The Hub's
# library resumes as long as something arrives, and believes no length but the Hub's; pooch begins anew, once.
FAULTS = [
    ([], True, True),
    (["truncated"], True, True),
    (["truncated"] * 3, True, False),
    (["cut"] * 20, False, False),
    (["short"], False, True),
    (["short"] * 20, False, False),
    (["wrong"], True, True),
    (["wrong"] * 20, False, False),
    (["error"], False, True),
    (["error"] * 20, False, False),
    (["slow"], True, True),
]


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Hub with one repository; nothing is cached, and who waits before trying again does not wait."""
    endpoint = HubServer()
    endpoint.add_to_hub(REPOSITORY, FILE, CONTENT)
    for name, value in {
        "ENDPOINT": endpoint.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": endpoint.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "AGENT_HARNESSES_PATH": str(tmp_path / "harnesses.json"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_SYMLINKS": False,
        # What arrived of a piece is lost when the connection ends.
        "DOWNLOAD_CHUNK_SIZE": 100,
    }.items():
        monkeypatch.setattr(constants, name, value, raising=False)
    # Newer versions ask the Hub about telemetry once in a process; here in each test, so that offline ones see it.
    with contextlib.suppress(ImportError):
        monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None, raising=False)
    monkeypatch.setenv("LAMBDA_KERAS_CACHE", str(tmp_path / "urls"))
    monkeypatch.delenv("LAMBDA_KERAS_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with endpoint.running():
        yield endpoint


@pytest.fixture
def url_record(server):
    """A row of plain URLs, a main one and a mirror."""
    urls = (server.add("main/weights.h5", CONTENT), server.add("mirror/weights.h5", CONTENT))
    return dataclasses.replace(URL_RECORD, file="weights.h5", urls=urls, md5=hashlib.md5(CONTENT).hexdigest())


def kept(tmp_path):
    """The contents of all files of weights in the caches, finished or not."""
    folders = [tmp_path / "hub", tmp_path / "urls"]
    paths = [path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()]
    besides = {"refs", ".no_exist", ".locks", "CACHEDIR.TAG"}
    return {path.read_bytes() for path in paths if not besides & set(path.relative_to(tmp_path).parts)}


def from_hub(sha256=None):
    return fetch_from_hub(REPOSITORY, FILE, sha256=sha256)


def check_faults(get, faults, succeeds, server, tmp_path):
    """Right bytes or a `WeightsError`, nothing else in the cache, and right bytes as soon as the server is well."""
    server.faults += faults
    if not succeeds:
        with pytest.raises(WeightsError, match="There is no verified"):
            get()
        assert kept(tmp_path) == set()
        server.faults.clear()
    assert get().read_bytes() == CONTENT
    assert kept(tmp_path) == {CONTENT}


@pytest.mark.parametrize("sha256", [None, SHA256], ids=["hash of the Hub", "hash given"])
@pytest.mark.parametrize(("faults", "succeeds", "_"), FAULTS)
def test_a_faulty_hub(faults, succeeds, _, sha256, server, tmp_path):
    check_faults(lambda: from_hub(sha256), faults, succeeds, server, tmp_path)


@pytest.mark.parametrize(("faults", "_", "succeeds"), FAULTS)
def test_a_faulty_host_of_urls(faults, _, succeeds, server, url_record, tmp_path):
    record = dataclasses.replace(url_record, urls=url_record.urls[:1])
    check_faults(lambda: fetch(record), faults, succeeds, server, tmp_path)


def test_an_interrupted_download_resumes(server):
    server.faults += ["truncated"]
    from_hub()
    assert server.ranges == ["bytes=500-"]


def test_the_hub_answers_at_the_second_time(server):
    server.head_faults += ["error"]
    assert from_hub().read_bytes() == CONTENT


def test_the_hub_is_gone_but_the_file_is_cached(server):
    from_hub()
    server.head_faults += ["error"] * 20
    assert from_hub().read_bytes() == CONTENT


def test_a_second_call_downloads_nothing(server, url_record):
    for get in (from_hub, lambda: fetch(url_record)):
        assert get() == get()
    downloads = [request for request in server.requests if request.startswith("GET /") and "/api/" not in request]
    assert downloads == [f"GET /large-files/{SHA256}", "GET /main/weights.h5"]


def test_other_users_may_read_a_cache_as_the_umask_allows(url_record):
    before = os.umask(0o022)
    try:
        assert stat.S_IMODE(fetch(url_record).stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_small_files_have_the_hash_of_git(server, tmp_path):
    server.add_to_hub(REPOSITORY, "folder/config.json", b"{}", large=False)
    assert fetch_from_hub(REPOSITORY, "folder/config.json").read_bytes() == b"{}"
    server.add_to_hub(REPOSITORY, "other.json", b"[]", large=False)
    server.faults += ["wrong", "wrong"]
    with pytest.raises(WeightsError, match="its hash was"):
        fetch_from_hub(REPOSITORY, "other.json")
    assert kept(tmp_path) == {b"{}"}


def test_the_hub_has_another_file_than_the_catalog(server, tmp_path):
    with pytest.raises(WeightsError, match=f"its hash was {SHA256}, not {'0' * 64}, so the file was removed; then: "):
        from_hub("0" * 64)
    assert kept(tmp_path) == set()


@pytest.mark.parametrize("sha256", [SHA256[:8], SHA256.upper(), "none"])
def test_a_hash_that_is_none(sha256, server):
    with pytest.raises(WeightsError, match="is neither a SHA-256 nor git's SHA-1, so the file cannot be verified"):
        from_hub(sha256)


def test_a_hub_without_hashes(server):
    server.add_to_hub(REPOSITORY, FILE, CONTENT, hub_hash="v2")
    with pytest.raises(WeightsError, match="'v2' is neither a SHA-256 nor git's SHA-1"):
        from_hub()
    assert from_hub(SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("repository", "file", "revision", "expected"),
    [
        (REPOSITORY, "other.safetensors", None, "Entry Not Found"),
        ("someone/other", FILE, None, "Repository Not Found"),
        (REPOSITORY, FILE, "v9", "Revision Not Found"),
        ("no repository", FILE, None, "Repo id"),
    ],
)
def test_what_the_hub_does_not_have(repository, file, revision, expected, server, tmp_path):
    with pytest.raises(WeightsError, match=expected) as caught:
        fetch_from_hub(repository, file, revision)
    message = str(caught.value)
    assert f"{server.url}/{repository}/resolve/{revision or 'main'}/{file}" in message
    assert str(tmp_path / "hub") in message
    assert f"hf download {repository} {file}" in message
    assert kept(tmp_path) == set()


def test_a_catalog_row_of_the_hub(server):
    record = dataclasses.replace(catalog.find("lambda_resnet26t", "imagenet"), repository=REPOSITORY)
    assert fetch(record).read_bytes() == CONTENT
    with pytest.raises(WeightsError, match=f"not {'0' * 64}"):
        fetch(dataclasses.replace(record, sha256="0" * 64))


def test_a_commit_as_revision(server):
    assert fetch_from_hub(REPOSITORY, FILE, COMMIT).parent.name == COMMIT


@pytest.mark.parametrize("damaged", [CONTENT[:-1], CONTENT[:-1] + b"?", b""])
def test_a_damaged_cache_is_mended(damaged, server, url_record, tmp_path):
    for get in (from_hub, lambda: fetch(url_record)):
        get().write_bytes(damaged)
        assert get().read_bytes() == CONTENT
    assert kept(tmp_path) == {CONTENT}


def test_offline_with_a_damaged_cache(server, url_record, tmp_path, monkeypatch):
    for path in (from_hub(), fetch(url_record)):
        path.write_bytes(b"damaged")
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"so the file was removed; then: .*no download is allowed"):
        from_hub()
    with pytest.raises(WeightsError, match=r"had another hash and was removed; .*no download is allowed"):
        fetch(url_record)
    assert kept(tmp_path) == set()


def test_without_a_network_nothing_is_tried_again(server, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(WeightsError, match=r"There is no verified model.safetensors .*: ConnectionRefusedError: "):
        from_hub()
    assert waits == []


def test_the_hub_s_own_offline_mode(server, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        from_hub()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    path = from_hub()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert from_hub() == path
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"so the file was removed; then: .*HF_HUB_OFFLINE"):
        from_hub()
    assert kept(tmp_path) == set()


def test_offline(server, url_record, tmp_path, monkeypatch):
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    for get, name in ((from_hub, FILE), (lambda: fetch(url_record), "weights.h5")):
        with pytest.raises(WeightsError, match="no download is allowed") as caught:
            get()
        assert name in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        assert server.url in str(caught.value)
    assert server.requests == []
    monkeypatch.delenv("LAMBDA_KERAS_OFFLINE")
    paths = [from_hub(), fetch(url_record)]
    server.requests.clear()
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    assert [from_hub(), fetch(url_record)] == paths
    assert server.requests == []


def test_files_placed_by_hand(server, url_record, tmp_path, monkeypatch):
    from_hub()
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    folder = "models--someone--network"
    shutil.copytree(tmp_path / "hub" / folder, tmp_path / "elsewhere" / folder, symlinks=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert from_hub().read_bytes() == CONTENT
    with pytest.raises(WeightsError, match=r"copy it to (.*weights\.h5); its md5") as caught:
        fetch(url_record)
    place = tmp_path / "urls" / url_record.name / "weights.h5"
    assert str(place) in str(caught.value)
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    assert fetch(url_record) == place


def test_a_file_system_without_links(server, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    server.add_to_hub(REPOSITORY, "folder/model.safetensors", CONTENT)
    server.faults += ["wrong"]
    path = fetch_from_hub(REPOSITORY, "folder/model.safetensors")
    assert not path.is_symlink()
    assert path.read_bytes() == CONTENT
    assert kept(tmp_path) == {CONTENT}
    # The main branch may have another file by now.
    assert f"HEAD /{REPOSITORY}/resolve/{COMMIT}/folder/model.safetensors" in server.requests
    monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
    assert fetch_from_hub(REPOSITORY, "folder/model.safetensors", sha256=SHA256) == path
    with pytest.raises(WeightsError, match="only the Hub knows its hash"):
        fetch_from_hub(REPOSITORY, "folder/model.safetensors")


def test_a_damaged_file_in_a_cache_behind_a_link(server, tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    (tmp_path / "link").symlink_to("hub")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "link"))
    for without_links in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", without_links)
        monkeypatch.delenv("LAMBDA_KERAS_OFFLINE", raising=False)
        from_hub().write_bytes(b"damaged")
        monkeypatch.setenv("LAMBDA_KERAS_OFFLINE", "1")
        with pytest.raises(WeightsError, match="so the file was removed"):
            from_hub(SHA256)
        assert kept(tmp_path) == set()


def test_a_blob_that_repositories_share(server, tmp_path):
    """The Hub's library may keep a blob in one place for all repositories, behind one more link."""
    blob = from_hub().resolve()
    shared = tmp_path / "hub" / "blobs" / "ab" / "shared"
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(f"../../blobs/ab/{shared.name}")
    assert from_hub().resolve() == shared
    shared.write_bytes(b"damaged")
    assert from_hub().read_bytes() == CONTENT
    assert not shared.exists()


def test_files_outside_of_the_cache_are_never_removed(server, tmp_path):
    blob = from_hub().resolve()
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"another")
    blob.unlink()
    blob.symlink_to(own)
    assert from_hub().read_bytes() == CONTENT
    assert own.read_bytes() == b"another"


def test_a_cache_that_cannot_be_written(server, url_record, tmp_path, monkeypatch):
    # A file where a folder should be stops root too, unlike permissions.
    for name in ("hub", "urls"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsError, match=str(tmp_path / "hub")):
        from_hub()
    with pytest.raises(WeightsError, match=str(tmp_path / "urls")):
        fetch(url_record)


def test_mirrors_in_order(server, url_record, tmp_path):
    gone = (f"{server.url}/gone.h5", server.add("damaged.h5", b"damaged"))
    assert fetch(dataclasses.replace(url_record, urls=gone + url_record.urls)).read_bytes() == CONTENT
    assert "GET /mirror/weights.h5" not in server.requests
    with pytest.raises(WeightsError, match=r"gone.h5: .*404.*; http.*damaged.h5: .*does not match the known hash"):
        fetch(dataclasses.replace(url_record, model="other", urls=gone))
    assert kept(tmp_path) == {CONTENT}


def test_a_url_with_sha256(url_record):
    assert fetch(dataclasses.replace(url_record, sha256=SHA256, md5=None)).read_bytes() == CONTENT
    with pytest.raises(WeightsError, match="has neither sha256 nor md5"):
        fetch(dataclasses.replace(url_record, md5=None))


def test_pickles_are_refused_before_any_request(server, url_record):
    with pytest.raises(WeightsError, match="is a pickle"):
        fetch_from_hub(REPOSITORY, "pytorch_model.bin")
    with pytest.raises(WeightsError, match="is a pickle"):
        fetch(dataclasses.replace(url_record, file="weights.pth"))
    assert server.requests == []


def test_the_cache_is_the_library_s_own(server):
    assert huggingface_hub.try_to_load_from_cache(REPOSITORY, FILE) is None
    assert huggingface_hub.hf_hub_download(REPOSITORY, FILE) == str(from_hub())


def test_sha256_of(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    assert sha256_of(tmp_path / "file") == SHA256


FETCH_BOTH = """
import dataclasses, os, pathlib, sys, time
from lambda_keras.weights import catalog
from lambda_keras.weights.fetch import fetch, fetch_from_hub

url, md5, folder = sys.argv[1:]
record = dataclasses.replace(catalog.warm_starts("resnet_rs50")[0], file="weights.h5", urls=(url,), md5=md5)
pathlib.Path(folder, f"{os.getpid()}.ready").touch()
while len(list(pathlib.Path(folder).glob("*.ready"))) < 2:
    time.sleep(0.01)
print(fetch_from_hub("someone/network", "model.safetensors"))
print(fetch(record))
"""


def test_two_processes_at_once(server, url_record, tmp_path, run_python):
    """They find the Hub by `HF_ENDPOINT` and its cache by `HF_HOME`."""
    pytest.importorskip("jax", reason="Keras 3.10 imports it for the NumPy backend")
    server.faults += ["slow"] * 4
    arguments = FETCH_BOTH, url_record.urls[0], url_record.md5, tmp_path
    settings = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path), "KERAS_BACKEND": "numpy"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        printed = list(pool.map(lambda _: run_python(*arguments, **settings), range(2)))
    assert printed == [f"{from_hub()}\n{fetch(url_record)}\n"] * 2
    assert kept(tmp_path) == {CONTENT}
