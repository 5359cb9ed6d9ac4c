"""A Prefect server for one command, in a child process that ends with it.

Prefect would start one itself if none is configured, but later, and it would import the whole server into our process.
"""

import atexit
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from winnow.errors import ServerUnavailable
from winnow.imports import without_gc

START_TIMEOUT = 180.0  # seconds; a busy machine is slow
END_TIMEOUT = 10.0  # seconds for writing the last events

EPHEMERAL_SETTINGS = {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect sets for a temporary server: no UI, and no services that run on a schedule."""


class EphemeralServer:
    """A server that is starting; requests to it wait until it is ready."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (the server writes to it until it ends)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.api = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.server.ephemeral", str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[listener.fileno()],
                env=os.environ | EPHEMERAL_SETTINGS,
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

    def end(self) -> None:
        """Let the server write its last events, and end it."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(listener: int) -> None:
    """Serve at a listening socket until the other end of standard input is closed."""
    with without_gc():
        import uvicorn
        from prefect.server.api.server import create_app

        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error", lifespan="on"))

    def end_with_parent() -> None:
        while os.read(0, 1):
            pass
        server.should_exit = True

    threading.Thread(target=end_with_parent, daemon=True).start()
    server.run(sockets=[socket.socket(fileno=listener)])
    os._exit(0)  # skip the slow end of the interpreter: there is nothing to clean up


if __name__ == "__main__":
    main(int(sys.argv[1]))
