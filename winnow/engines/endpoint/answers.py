"""What an endpoint has answered in a run, so that nothing is asked twice, and what the run has spent on it.

A database in the run's folder: an answer is in it as soon as it came, or not at all, whatever ends the process.
"""

import errno
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from winnow.engines.endpoint.reading import Reply
from winnow.errors import BudgetSpent, DiskFull, OutputError

IN_MEMORY = Path(":memory:")
"""In the place of a file: answers that are forgotten at the end of the process."""

LOCK_SECONDS = 60.0
SECONDS_PER_HOUR = 3600.0
TABLES = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, form TEXT NOT NULL, kind TEXT, content BLOB)",
    "CREATE TABLE IF NOT EXISTS spent (one INTEGER PRIMARY KEY, requests INTEGER, seconds REAL)",
    "INSERT OR IGNORE INTO spent VALUES (1, 0, 0.0)",
)
SPEND = (
    "UPDATE spent SET requests = requests + 1, seconds = seconds + :seconds "
    "WHERE requests < coalesce(:most_requests, requests + 1) "
    "AND seconds + :seconds <= coalesce(:most_seconds, seconds + :seconds)"
)


class Turn:
    """Who may ask for a key; it lasts as long as somebody asks or waits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Answers:
    """The database of a run; safe for threads and for processes."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        self._under_way: WeakValueDictionary[str, Turn] = WeakValueDictionary()
        with self._errors():
            if path != IN_MEMORY:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, LOCK_SECONDS, isolation_level=None, check_same_thread=False)
            for statement in TABLES:
                self._database.execute(statement)

    @contextmanager
    def once(self, key: str) -> Iterator[None]:
        """Let one thread at a time ask for a key, so that the others find its answer, or ask in turn if it failed."""
        with self._lock:
            turn = self._under_way.setdefault(key, Turn())
        with turn.lock:
            yield

    def find(self, key: str) -> tuple[str, Reply] | None:
        """Return the form in which was asked, and the answer; None if there is none yet."""
        with self._lock, self._errors():
            row = self._database.execute("SELECT form, kind, content FROM answers WHERE key = ?", (key,)).fetchone()
        return (row[0], Reply(row[1], row[2])) if row else None

    def add(self, key: str, form: str, reply: Reply) -> None:
        with self._lock, self._errors():
            self._database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", (key, form, *reply))

    def spend(self, seconds: float, most_requests: int | None, most_hours: float | None) -> None:
        """Count a request with this much audio; raises BudgetSpent, and counts nothing, if it would be too much."""
        most_seconds = most_hours and most_hours * SECONDS_PER_HOUR
        limits = {"seconds": seconds, "most_requests": most_requests, "most_seconds": most_seconds}
        with self._lock, self._errors():
            if self._database.execute(SPEND, limits).rowcount:
                return
            requests, spent = self._database.execute("SELECT requests, seconds FROM spent").fetchone()
        raise BudgetSpent(
            f"the run has sent {requests:,} requests with {spent / SECONDS_PER_HOUR:,.3f} h of audio to endpoints, "
            "which is all that it may; what was answered is kept: raise --engine.max-requests or --engine.max-hours "
            "and run the same command again"
        )

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise DiskFull or OutputError for an error of the database."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            full = "disk is full" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
            kind = DiskFull if full else OutputError
            raise kind(f"{self.path}: answers of an endpoint cannot be kept: {error}") from error
