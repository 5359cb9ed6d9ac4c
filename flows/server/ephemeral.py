"""A Prefect server for the time of a command, in a process of its own that ends with it.

Prefect starts one by itself where none is configured, but later, and imports all of the server into our process.
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

START_TIMEOUT = 180.0  # seconds; on a machine under load
END_TIMEOUT = 10.0  # seconds in which it writes what it was told last
EPHEMERAL_SETTINGS = {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect tells a server that lives no longer than a run: to show no UI, and to do nothing on a schedule."""


class EphemeralServer:
    """A server that starts; requests to it wait until it is there."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  (the server writes to it until it ends)
        with socket.create_server(("127.0.0.1", 0)) as place:
            self.api = f"http://127.0.0.1:{place.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.server.ephemeral", str(place.fileno())],
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[place.fileno()],
                env=os.environ | EPHEMERAL_SETTINGS,
            )
        atexit.register(self.end)

    def wait(self) -> None:
        """Return when it answers; raise ServerUnavailable if it ended before."""
        import httpx

        end = time.monotonic() + START_TIMEOUT
        with httpx.Client(timeout=1.0) as client:
            while time.monotonic() < end:
                if (code := self._process.poll()) is not None:
                    raise ServerUnavailable(
                        f"the Prefect server of this run ended with {code} as it started ({self.cause()}): "
                        "`prefect server start` shows all of it"
                    )
                try:
                    client.get(f"{self.api}/health").raise_for_status()
                    return
                except httpx.HTTPError:
                    time.sleep(0.05)
        raise ServerUnavailable(
            f"the Prefect server of this run does not answer after {START_TIMEOUT:.0f} s ({self.cause()})"
        )

    def cause(self) -> str:
        """The error that it named last."""
        self._said.seek(0)
        lines = [line for line in self._said.read().splitlines() if line.strip()] or ["it said nothing"]
        return next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception)\b", line)), lines[-1])

    def end(self) -> None:
        """Have it write what it was told, and end."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(place: int) -> None:
    """Serve at a socket that listens, until nobody holds the other end of standard input."""
    with without_gc():
        import uvicorn
        from prefect.server.api.server import create_app

        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error", lifespan="on"))

    def end() -> None:
        while os.read(0, 1):
            pass
        server.should_exit = True

    threading.Thread(target=end, daemon=True).start()
    server.run(sockets=[socket.socket(fileno=place)])
    os._exit(0)  # at once: there is nothing to tidy up


if __name__ == "__main__":
    main(int(sys.argv[1]))
