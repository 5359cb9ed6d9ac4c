"""A stand-in for the Hugging Face hub: serves models of a folder by the part of its API that huggingface_hub uses."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>[^?]+)")
PIECE = 2**16


class Hub(ThreadingHTTPServer):
    """Serves `<owner>/<name>/<file>` of a folder, and records the requests.

    Each entry of `cut` breaks the connection of one download after that many bytes; `pause` stops sending after them.
    """

    daemon_threads = True

    def __init__(self, folder: Path, answer: "type[Answer]") -> None:
        super().__init__(("127.0.0.1", 0), answer)
        self.folder = folder
        self.requests: list[str] = []
        self.cut: list[int] = []
        self.pause: int | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        requests = f"{self.command} {self.path} {self.headers.get('Range', '')}".strip()
        self.server.requests.append(requests)
        match = RESOLVE.fullmatch(self.path)
        path = self.server.folder / match["repository"] / match["file"] if match else None
        if path is None or not path.is_file() or match["revision"] not in ("main", COMMIT):
            self.refuse(match is not None)
            return
        content = path.read_bytes()
        start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1]) if "Range" in self.headers else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Linked-ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if body:
            self.send(content[start:])

    def send(self, content: bytes) -> None:
        most = self.server.cut.pop(0) if self.server.cut else len(content)
        with suppress(OSError):  # the client may have gone
            for at in range(0, min(most, len(content)), PIECE):
                if self.server.pause and at >= self.server.pause:
                    time.sleep(30)
                self.wfile.write(content[at : min(at + PIECE, most)])
        if most < len(content):
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()

    def refuse(self, entry: bool) -> None:
        """Answer as the hub does: a code in a header says what does not exist."""
        known = (self.server.folder / "/".join(self.path.split("/")[1:3])).is_dir()
        text = json.dumps({"error": "not found"}).encode()
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound" if entry and known else "RepoNotFound")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def hub(folder: Path, answer: type[Answer] = Answer) -> Iterator[Hub]:
    server = Hub(folder, answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
