"""An object store of a test: moto serves S3 on this machine."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import boto3
import pytest
import s3fs
from moto.moto_server.threaded_moto_server import MotoRequestHandler
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from winnow.audio.remote import stores


class OneRequestPerConnection(MotoRequestHandler):
    protocol_version = "HTTP/1.0"
    timeout = 10  # seconds for a client that sends nothing, which may have been cut off: others wait for it

    def log(self, *_: Any, **__: Any) -> None:
        """Log nothing: a process that is forked while this thread holds the console's lock waits for it for ever."""


@dataclass
class Requests:
    """What was asked for, by method and path, and what is sent in place of the content at a path."""

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[str, Callable[[bytes], Iterable[bytes]]] = field(default_factory=dict)


REQUESTS = Requests()


def answering(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return an application that keeps what it is asked for, and answers with faults."""

    def answer(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environment["REQUEST_METHOD"], environment["PATH_INFO"]
        REQUESTS.asked[method, path] += 1
        fault = REQUESTS.faults.get(path) if method == "GET" else None
        content = app(environment, start_response)
        return fault(b"".join(content)) if fault else content

    return answer


@contextmanager
def running_store(host: str = "127.0.0.1") -> Iterator[BaseWSGIServer]:
    """Serve S3, one request at a time: only so does moto create an object at most once."""
    app = answering(DomainDispatcherApplication(create_backend_app))
    server = make_server(host, 0, app, threaded=False, request_handler=OneRequestPerConnection)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@contextmanager
def running_bucket(name: str = "winnow", host: str = "127.0.0.1") -> Iterator[str]:
    """Create an empty bucket and yield its URL; the environment names the store and its credentials meanwhile."""
    with running_store(host) as server, pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{server.port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(variable, value)
        forget_connections()
        boto3.client("s3").create_bucket(Bucket=name)
        yield f"s3://{name}"
        forget_connections()


def forget_connections() -> None:
    """Connect to the store that the environment names at this moment: libraries keep what they have connected to."""
    stores.store.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


def put_files(url: str, files: dict[str, bytes]) -> None:
    """Put files below a URL into its bucket."""
    bucket, _, folder = url.removeprefix("s3://").partition("/")
    client = boto3.client("s3")
    for name, content in files.items():
        client.put_object(Bucket=bucket, Key=f"{folder}/{name}".lstrip("/"), Body=content)
