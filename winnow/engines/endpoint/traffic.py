"""When requests to an endpoint may be sent, and sent again."""

import threading
import time

from winnow.audio.remote.pauses import pause

DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before each retry, more or less by half
START_DELAYS = DELAYS[:4]  # before a run begins, somebody waits
LONGEST_WAIT = 120.0  # seconds that a server may ask for; asked for more, the run ends
SECONDS_PER_MINUTE = 60.0


class Traffic:
    """When the next request may be sent, by any thread."""

    def __init__(self, per_minute: int | None) -> None:
        self._interval = SECONDS_PER_MINUTE / per_minute if per_minute else 0.0
        self._lock, self._free = threading.Lock(), 0.0

    def wait(self) -> None:
        """Wait until this thread may send; raises GivenUp."""
        pause(0.0)  # nothing more is sent for a call that has ended
        while (seconds := self._take_turn()) > 0:
            pause(seconds)

    def hold(self, seconds: float) -> None:
        """Let nobody send a request for a while, not even those who wait already."""
        with self._lock:
            self._free = max(self._free, time.monotonic() + seconds)

    def _take_turn(self) -> float:
        """Return 0 if a request may be sent now, else the seconds until the next one may."""
        with self._lock:
            now = time.monotonic()
            if now < self._free:
                return self._free - now
            self._free = now + self._interval
            return 0.0
