"""A Prefect server for one command, in a child process that ends with it.

Prefect would start one itself if none is configured, but later, and it would import the whole server into our process.
Only the command knows the server's password, because every user of a machine can connect to 127.0.0.1.
"""

import atexit
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

from winnow.errors import ServerUnavailable
from winnow.imports import without_gc

START_TIMEOUT = 180.0  # seconds; a busy machine is slow
LOCK_TIMEOUT = 120.0  # seconds for other servers that are starting
END_TIMEOUT = 15.0  # seconds for writing the last states and events
FAILED = 3  # exit code of a server that could not start

EPHEMERAL_SETTINGS = {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect sets for a temporary server: no UI, and no services that run on a schedule."""

PASSWORD = "PREFECT_SERVER_API_AUTH_STRING"

STATE_SET = re.compile(r"/api/flow_runs/([0-9a-f-]{36})/set_state")


class EphemeralServer:
    """A server that is starting; requests to it wait until it is ready. `auth` is its user and password."""

    def __init__(self) -> None:
        self.auth = f"winnow:{secrets.token_urlsafe(32)}"
        self.ready = False
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (the server writes to it until it ends)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.api = api_at(listener)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.server.ephemeral", str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[listener.fileno()],
                env=os.environ | EPHEMERAL_SETTINGS | {PASSWORD: self.auth},
                start_new_session=True,  # Ctrl-C in a terminal reaches the command alone, which ends its server
            )
        atexit.register(self.end)

    def wait(self) -> None:
        """Return when the server answers; raise ServerUnavailable if it ends first or takes too long."""
        import httpx

        deadline = time.monotonic() + START_TIMEOUT
        with httpx.Client(timeout=1.0) as client:
            while time.monotonic() < deadline:
                if (code := self._process.poll()) is not None:
                    raise ServerUnavailable(
                        f"the temporary Prefect server ended with exit code {code} while it started ({self.cause()}): "
                        "run `prefect server start` to see its whole output"
                    )
                try:
                    client.get(f"{self.api}/health").raise_for_status()
                    self.ready = True
                    return
                except httpx.HTTPError:
                    time.sleep(0.05)
        raise ServerUnavailable(
            f"the temporary Prefect server does not answer after {START_TIMEOUT:.0f} s ({self.cause()})"
        )

    def cause(self) -> str:
        """Return the last error in the server's output, or its last line."""
        self._log.seek(0)
        lines = [line for line in self._log.read().splitlines() if line.strip()] or ["without output"]
        return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)), lines[-1])

    def end(self, cancelled: str = "") -> None:
        """Let the server write its last states and events, and end it.

        Flow runs that have not ended are set to Cancelled if `cancelled` says why, otherwise to Crashed.
        """
        assert self._process.stdin
        atexit.unregister(self.end)
        with suppress(OSError):  # it has ended already
            self._process.stdin.write(cancelled.encode())
            self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT if self.ready else 0.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class FlowRunsOf:
    """A server's application that remembers which flow runs have set their state at it."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self._application = application
        self.ids: set[str] = set()

    async def __call__(self, scope: MutableMapping[str, Any], *channels: Any) -> None:
        if found := STATE_SET.fullmatch(scope.get("path", "")):
            self.ids.add(found[1])
        await self._application(scope, *channels)


def main(listener: int) -> None:
    """Serve at a listening socket until the other end of standard input is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the command that a signal ends still has to set its state
    with without_gc():
        import uvicorn
        from prefect.server.api.server import create_app

        application = FlowRunsOf(create_app())
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="on"))
    with socket.socket(fileno=listener) as opened:
        serving = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        ending = threading.Thread(target=end_with_parent, args=(server, application, api_at(opened)), daemon=True)
        ending.start()
        with alone_at_start():
            serving.start()
            while serving.is_alive() and not server.started:
                time.sleep(0.02)
        serving.join()
    os._exit(0 if server.started else FAILED)  # skip the slow end of the interpreter: there is nothing to clean up


def end_with_parent(server: Any, application: FlowRunsOf, api: str) -> None:
    """End the server when standard input is closed, by the parent or by its death, and end its flow runs before."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.types._datetime import now

    from flows.server.flow_runs import SETTLE_SECONDS, end_flow_run

    began = now("UTC")
    cancelled = sys.stdin.read()
    if not server.started:
        os._exit(0)
    state, message = ("Cancelled", cancelled) if cancelled else ("Crashed", "its process died")
    with suppress(Exception), SyncPrefectClient(api, auth_string=os.environ[PASSWORD]) as client:
        for flow_run in list(application.ids):
            created = client.read_flow_run(UUID(flow_run)).created
            if created and created >= began:  # not one of an earlier process, which this one has set to Crashed
                end_flow_run(client, flow_run, state, message, SETTLE_SECONDS)
    server.should_exit = True


@contextmanager
def alone_at_start() -> Iterator[None]:
    """Let one server at a time start on a Prefect home: two that create its database at once damage each other."""
    from filelock import FileLock, Timeout
    from prefect.settings import get_current_settings

    home = get_current_settings().home
    lock = FileLock(home / "winnow-server-start.lock", timeout=LOCK_TIMEOUT)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise
    except OSError:  # no locks, or not writable, which the server explains
        yield
        return
    try:
        yield
    finally:
        lock.release()


def api_at(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/api"


if __name__ == "__main__":
    main(int(sys.argv[1]))
