"""A web server of a test: files by path, and what may go wrong with each."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebServer(ThreadingHTTPServer):
    """Serves `files` by their paths; `faults` are answers in their place: a status code, or a function of a handler.

    `asked` counts requests by method and path.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files, self.faults, self.asked = {}, {}, Counter()

    def handle_error(self, request, client_address):
        """Say nothing of connections that a test breaks."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        server = self.server
        server.asked[self.command, self.path] += 1
        fault = server.faults.get(self.path)
        if callable(fault):
            fault(self)
        elif fault:
            self.empty(fault)
        elif (content := server.files.get(self.path.partition("?")[0])) is None:
            self.empty(404)
        else:
            self.send(content)

    def empty(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, content, stated=None):
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        self.send_with({"ETag": etag, "Content-Length": len(content) if stated is None else stated}, content)

    def send_with(self, headers, content):
        """Send content, whatever the headers state."""
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextmanager
def serving() -> Iterator[WebServer]:
    with WebServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def first(count, fault):
    """Return a fault of the first requests for a file only; later ones get the file."""
    seen = []

    def answer(handler):
        seen.append(handler.command)
        if len(seen) > count:
            del handler.server.faults[handler.path]
            handler.answer()
        elif callable(fault):
            fault(handler)
        else:
            handler.empty(fault)

    return answer


def drops(handler):
    """Send half of a file and close the connection."""
    content = handler.server.files[handler.path]
    handler.close_connection = True
    handler.send(content[: len(content) // 2], stated=len(content))


def slow(seconds):
    def answer(handler):
        time.sleep(seconds)
        handler.send(handler.server.files[handler.path])

    return answer
