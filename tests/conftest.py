"""Fixtures of the tests: small corpora, stand-ins for models, and Prefect servers."""

import functools
import gc
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from filelock import FileLock

from flows.server.ephemeral import EPHEMERAL_SETTINGS
from flows.server.interruption import SIGNALS
from winnow.engines.engine import Checkpoint
from winnow.models.resolve import resolve
from winnow.schema import select_columns

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "demo"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

hypothesis.settings.register_profile("steady", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("steady")

os.environ |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
# each of Prefect's many clients parses all known certificates, in 50 ms; no test's server needs any
os.environ["PREFECT_API_SSL_CERT_FILE"] = str(Path(__file__).with_name("certificate.pem"))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all that is imported by now."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache() -> Iterator[None]:
    """Keep private copies of checkpoints in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WINNOW_CACHE"] = folder
        yield


CREATE_DATABASE = """
import asyncio
from prefect.server.database import provide_database_interface

asyncio.run(provide_database_interface().create_db())
"""


@pytest.fixture(scope="session")
def empty_prefect_home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A Prefect home with an empty database, which takes long to create; all test processes share it."""
    here = tmp_path_factory.getbasetemp()
    home = (here if worker_id == "master" else here.parent) / "empty-prefect-home"
    with FileLock(f"{home}.lock"):
        if not home.exists():
            environment = os.environ | {"PREFECT_HOME": f"{home}.new"}
            subprocess.run([sys.executable, "-P", "-c", CREATE_DATABASE], env=environment, check=True)
            Path(f"{home}.new").rename(home)
    return home


@pytest.fixture
def prefect_home(empty_prefect_home: Path, tmp_path: Path) -> Path:
    """Return a Prefect home of the test's own."""
    return shutil.copytree(empty_prefect_home, tmp_path / "prefect-home")


@pytest.fixture(scope="session")
def prefect_server(empty_prefect_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the Prefect server that all test processes share, because it takes long to start."""
    home = tmp_path_factory.mktemp("prefect") / "home"
    with shared_server(empty_prefect_home) as api, flows_run_on(api, home):
        yield api


@contextmanager
def shared_server(empty_home: Path) -> Iterator[str]:
    """Start a Prefect server unless another test process has; the last process that leaves the block ends it."""
    home, lock = empty_home.with_name("shared-prefect-home"), FileLock(empty_home.with_name("shared-prefect-home.lock"))
    users = home / "users.json"
    with lock:
        if users.exists():
            shared = json.loads(users.read_text())
        else:
            api, server = start_server(shutil.copytree(empty_home, home, dirs_exist_ok=True), temporary=True)
            shared = {"api": api, "pid": server.pid, "count": 0}
        users.write_text(json.dumps(shared | {"count": shared["count"] + 1}))
    yield shared["api"]
    with lock:
        left = json.loads(users.read_text())["count"] - 1
        users.write_text(json.dumps(shared | {"count": left}))
        if not left:
            os.killpg(shared["pid"], signal.SIGKILL)
            users.unlink()


@contextmanager
def flows_run_on(api: str, home: Path) -> Iterator[None]:
    """Let the flows of this process run on a server."""
    from prefect.context import _temporary_global_settings_context, get_settings_context
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: api, PREFECT_HOME: home}),
        _temporary_global_settings_context(get_settings_context()),
    ):
        yield
        APILogWorker.drain_all(timeout=5)
        EventsWorker.drain_all(timeout=5)


@pytest.fixture
def run_command(
    prefect_server: str, run_command_here: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in this process, on the shared server."""
    return run_command_here


@pytest.fixture
def run_command_here(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Run a command in this process; undo afterwards what a command does to its process."""
    from cli.app import main
    from flows.server import monitor

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        exit_code: Any = 0
        try:
            main(list(map(str, words)))
        except SystemExit as ended:
            exit_code = ended.code or 0
        return subprocess.CompletedProcess(words, exit_code, *capfd.readouterr())

    log, handlers = logging.getLogger("winnow"), [signal.getsignal(number) for number in SIGNALS]
    level, log_handlers, environment = log.level, list(log.handlers), dict(os.environ)
    yield run
    monitor.current.clear()  # nothing watches the server for a run that has ended
    for number, handler in zip(SIGNALS, handlers, strict=True):
        signal.signal(number, handler)
    log.setLevel(level)
    log.handlers[:] = log_handlers
    os.environ.clear()
    os.environ.update(environment)


START_SERVER = """
import sys
from winnow.imports import without_gc

with without_gc():
    import uvicorn
    from prefect.server.api.server import create_app

uvicorn.run(create_app, factory=True, port=int(sys.argv[1]), log_level="error", lifespan="on")
"""


@contextmanager
def running_server(home: Path) -> Iterator[str]:
    """Run a Prefect server with web pages and all services, in a process that is killed at the end."""
    api, server = start_server(home)
    try:
        yield api
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def start_server(home: Path, temporary: bool = False) -> tuple[str, subprocess.Popen[bytes]]:
    """Start what `prefect server start` starts, in a process; return its address when it answers.

    A temporary one has no web pages, and no services that work on a schedule.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PREFECT_HOME": str(home), "PREFECT_API_URL": api}
    if temporary:
        environment |= EPHEMERAL_SETTINGS | {"PREFECT_UI_ENABLED": "0"}
    command = [sys.executable, "-P", "-c", START_SERVER, str(port)]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    with httpx.Client(timeout=5) as client:
        for _ in range(600):
            try:
                client.get(f"{api}/health")
                return api, server
            except httpx.HTTPError:
                time.sleep(0.2)
    os.killpg(server.pid, signal.SIGKILL)
    raise TimeoutError((home / "server.log").read_text())


class RecordingProxy(ThreadingHTTPServer):
    """A proxy that answers nothing, and keeps what it is asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.url, self.requests = f"http://127.0.0.1:{self.server_port}", []

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.requests.append(request.recv(100))


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    with RecordingProxy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Collect the lines of Winnow's log, whatever handlers Prefect adds or removes."""
    log, lines = logging.getLogger("winnow"), []

    def collect(record: logging.LogRecord) -> bool:
        lines.append(f"{record.levelname} {record.getMessage()}")
        return True

    log.addFilter(collect)
    log.setLevel(logging.INFO)
    yield lines
    log.removeFilter(collect)


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """Write a tone of one second, or of another length, to a file whose name ends with its format."""

    def write(name: str, seconds: float = 1.0, rate: int = 16_000, channels: int = 1, **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        at = np.arange(round(seconds * rate)) / rate
        samples = np.repeat(0.3 * np.sin(2 * np.pi * 440 * at)[:, None], channels, axis=1)
        soundfile.write(path, samples, rate, **options)
        return path

    return write


@pytest.fixture
def manifest(tmp_path: Path, write_tone: Callable[..., Path]) -> Callable[..., Path]:
    """Write a manifest of rows or raw lines; missing audio files are written as a tone of one second."""

    def write(*rows: dict[str, Any] | bytes, tones: bool = True) -> Path:
        lines = []
        for row in rows:
            if isinstance(row, dict):
                name = row.get("audio_filepath")
                if tones and isinstance(name, str) and not (tmp_path / name).exists():
                    write_tone(name)
                row = json.dumps(row).encode()
            lines.append(row + b"\n")
        path = tmp_path / "corpus.jsonl"
        path.write_bytes(b"".join(lines))
        return path

    return write


@pytest.fixture
def hears(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Write stand-ins for models: the transcript of each model for each audio file."""

    def write(**models: dict[str, str]) -> dict[str, str]:
        for role, texts in models.items():
            lines = [json.dumps({"audio_filepath": name, "pred_text": text}) for name, text in texts.items()]
            (tmp_path / f"{role}.jsonl").write_text("\n".join(lines))
        return {role: str(tmp_path / f"{role}.jsonl") for role in models}

    return write


@pytest.fixture
def register() -> Iterator[Callable[..., None]]:
    """Add an entry to a registry (of engines, sources, outputs or criteria) for the time of a test."""
    with ExitStack() as added:

        def add(registry: dict[str, Any] | list[Any], entry: Any, name: str = "") -> None:
            if isinstance(registry, list):
                registry.insert(0, entry)  # the first that claims something gets it
                added.callback(registry.remove, entry)
            else:
                assert name not in registry
                registry[name] = entry
                added.callback(registry.pop, name)

        yield add


def resolve_unpinned(path: Path) -> Checkpoint:
    """Resolve a checkpoint that is not pinned."""
    return resolve(str(path), trust_unpinned=True)


@pytest.fixture(scope="session")
def demo_small() -> Checkpoint:
    return resolve_unpinned(DEMO / "small.nemo")


@pytest.fixture(scope="session")
def demo_large() -> Checkpoint:
    return resolve_unpinned(DEMO / "large.nemo")


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Checkpoint]:
    """Make a checkpoint of a model family with random weights."""
    from tests.models import make_checkpoint

    @functools.cache
    def load(name: str) -> Checkpoint:
        return resolve_unpinned(make_checkpoint(name, tmp_path_factory.mktemp(name)))

    return load


def shard_table(schema: pa.Schema, **columns: list) -> pa.Table:
    """Make a table of the schema with these columns; the others are null."""
    size = len(next(iter(columns.values())))
    return select_columns(pa.table({"id": list(range(1, size + 1))} | columns), schema)


def published_rows(run: Path) -> list[dict[str, Any]]:
    """Read all published rows of a run, kept or not, in the order of their ids."""
    tables = [pq.read_table(run / part) for part in ("data", "rejects") if (run / part).exists()]
    return sorted(pa.concat_tables(tables).to_pylist(), key=lambda row: row["id"])


def runs_to(output: Path) -> dict[str, Any]:
    """Return the filter of Prefect's API for the flow runs that write to a folder, which their names end with."""
    return {"flow_runs": {"name": {"like_": f"to {output}"}}}
