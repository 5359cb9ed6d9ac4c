"""How slow a server may be: what comes in drops must not hold a run for ever."""

import time

from winnow.audio.remote.failures import MayPass

PATIENCE = 60.0  # seconds for any file
LEAST_SPEED = 20_000  # bytes per second, beyond that


class Pace:
    """Counts the bytes of a download, and raises MayPass once they come too slowly."""

    def __init__(self) -> None:
        self._began, self._bytes = time.monotonic(), 0

    def add(self, count: int) -> None:
        self._bytes += count
        seconds = time.monotonic() - self._began
        if seconds > PATIENCE + self._bytes / LEAST_SPEED:
            raise MayPass(f"too slow: {self._bytes:,} bytes in {seconds:.0f} s")
