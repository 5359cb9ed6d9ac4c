"""When requests to an endpoint may be sent, and sent again."""

import time
from typing import Any

from winnow.audio.remote.pauses import pause
from winnow.engines.endpoint.database import Database

DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before each retry, more or less by half
START_DELAYS = DELAYS[:4]  # before a run begins, somebody waits
LONGEST_WAIT = 120.0  # seconds that a server may ask for; asked for more, the run ends
SECONDS_PER_MINUTE = 60.0

TABLE = "CREATE TABLE IF NOT EXISTS traffic (url TEXT PRIMARY KEY, free REAL)"
NEXT = "SELECT free FROM traffic WHERE url = :url AND free > :now AND free <= :latest"
TAKE = (
    "INSERT INTO traffic VALUES (:url, :next) ON CONFLICT (url) DO UPDATE SET free = :next "
    "WHERE free <= :now OR free > :latest"
)
HOLD = (
    "INSERT INTO traffic VALUES (:url, :until) ON CONFLICT (url) DO UPDATE SET free = max(min(free, :latest), :until)"
)


class Traffic:
    """When the next request may be sent to an endpoint, by any thread of any process of the run.

    The database has the time of the clock. A time further ahead than any wait is of a clock that was set back.
    """

    def __init__(self, database: Database, url: str, per_minute: int | None) -> None:
        self.database, self.url = database, url
        self._interval = SECONDS_PER_MINUTE / per_minute if per_minute else 0.0
        database.execute(TABLE)

    def wait(self) -> None:
        """Wait until this thread may send; raises GivenUp."""
        pause(0.0)  # nothing more is sent for a call that has ended
        while (seconds := self.take_turn()) > 0:
            pause(seconds)

    def hold(self, seconds: float) -> None:
        """Let nobody send a request for a while, not even those who wait already."""
        if seconds > 0:
            self.database.execute(HOLD, self._times() | {"until": time.time() + seconds})

    def take_turn(self) -> float:
        """Return 0 if a request may be sent now, else the seconds until the next one may."""
        times = self._times()
        if self._interval and self.database.execute(TAKE, times | {"next": times["now"] + self._interval})[1]:
            return 0.0
        rows, _ = self.database.execute(NEXT, times)
        return rows[0][0] - times["now"] if rows else 0.0

    def _times(self) -> dict[str, Any]:
        now = time.time()
        return {"url": self.url, "now": now, "latest": now + LONGEST_WAIT + self._interval}
