"""A local HTTP server that plays the Hugging Face Hub, the host of its large files, and a plain host of files."""

import contextlib
import hashlib
import http.server
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# Large files come from another host than the Hub's; this name leads to the same server.
LARGE_FILE_HOST = "localhost"


class HubServer(http.server.ThreadingHTTPServer):
    """Serves what `add_to_hub` and `add` were given; answers may be spoilt by `faults`.

    Attributes:
        faults: What becomes of the next answers with a body, in order; later ones are right. `"error"`: status 500.
            `"truncated"`: half of the body, then the connection ends. `"cut"`: nothing of the body. `"short"`: half of
            the body, and headers that say so. `"wrong"`: one bit is another. `"slow"`: in pieces with pauses.
        head_faults: The same for the next answers to HEAD; only `"error"`.
        requests: `"METHOD path"` of all requests.
        ranges: `Range` headers of all requests that had one.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults, self.head_faults = [], []
        self.requests, self.ranges = [], []
        # path: content; path of a file on the Hub: (its hash there, path of its content, or None)
        self.files, self.hub_files, self.repositories = {}, {}, set()

    @property
    def url(self):
        """The address of the Hub, and of plain files."""
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, path, content):
        """Adds a plain file; returns its URL."""
        self.files[f"/{path}"] = content
        return f"{self.url}/{path}"

    def add_to_hub(self, repository, file, content, large=True, hub_hash=None):
        """Adds a file of a repository, as a large file or as one of git's own."""
        self.repositories.add(repository)
        path = f"/{repository}/resolve/{{}}/{file}"
        if large:
            hub_hash = hub_hash or hashlib.sha256(content).hexdigest()
            location = f"/large-files/{hub_hash}"
            self.files[location] = content
        else:
            hub_hash = hub_hash or hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            location = None
        for revision in ("main", COMMIT):
            self.files[path.format(revision)] = content
            self.hub_files[path.format(revision)] = (hub_hash, location)

    @contextlib.contextmanager
    def running(self):
        """Serves in a thread until the context ends."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        """Prints nothing."""

    def do_HEAD(self):
        self._answer(self.server.head_faults, has_body=False)

    def do_GET(self):
        self._answer(self.server.faults, has_body=True)

    def _answer(self, faults, has_body):
        self.server.requests.append(f"{self.command} {self.path}")
        if self.path not in self.server.files:
            return self._not_found()
        fault = faults.pop(0) if faults else None
        if fault == "error":
            return self._headers(500, {"Content-Length": "0"})
        hub_hash, location = self.server.hub_files.get(self.path, (None, None))
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hub_hash}"'} if hub_hash else {}
        content = self.server.files[self.path]
        if location:
            headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(content)), "ETag": '"another"'}
            headers["Location"] = f"http://{LARGE_FILE_HOST}:{self.server.server_port}{location}"
            return self._headers(302, headers | {"Content-Length": "0"})
        return self._send(content, headers, fault, has_body)

    def _send(self, content, headers, fault, has_body):
        start, status = 0, 200
        if "Range" in self.headers:
            self.server.ranges.append(self.headers["Range"])
            start, status = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if fault == "wrong":
            body = bytes([body[0] ^ 1]) + body[1:]
        sent = {"cut": b"", "truncated": body[: len(body) // 2], "short": body[: len(body) // 2]}.get(fault, body)
        length = len(sent) if fault == "short" else len(body)
        self._headers(status, headers | {"Content-Length": str(length), "Accept-Ranges": "bytes"})
        if has_body and fault == "slow":
            for index in range(0, len(sent), len(sent) // 5):
                threading.Event().wait(0.05)
                self.wfile.write(sent[index : index + len(sent) // 5])
        elif has_body:
            self.wfile.write(sent)
        self.close_connection = fault in ("cut", "truncated")
        return None

    def _not_found(self):
        """404 as the Hub says it: of a repository, a revision or a file."""
        repository, resolve, rest = self.path.removeprefix("/").partition("/resolve/")
        headers = {"Content-Length": "0"}
        if resolve and repository not in self.server.repositories:
            headers["X-Error-Code"] = "RepoNotFound"
        elif resolve and rest.partition("/")[0] not in ("main", COMMIT):
            headers["X-Error-Code"] = "RevisionNotFound"
        elif resolve:
            headers |= {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
        self._headers(404, headers)

    def _headers(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
