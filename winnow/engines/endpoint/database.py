"""The database that the threads and processes of a run share: what they put into it is there at once, or not at all."""

import errno
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winnow.errors import DiskFull, OutputError

IN_MEMORY = Path(":memory:")
"""In the place of a file: what is forgotten at the end of the process."""

LOCK_SECONDS = 60.0


class Database:
    """A file of SQLite."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        with self.errors():
            if path != IN_MEMORY:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, LOCK_SECONDS, isolation_level=None, check_same_thread=False)

    def execute(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Return the rows of the result, and how many rows were changed."""
        with self._lock, self.errors():
            cursor = self._connection.execute(statement, values)
            return cursor.fetchall(), cursor.rowcount

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise DiskFull or OutputError for an error of the database, or of a file beside it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            full = "disk is full" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
            kind = DiskFull if full else OutputError
            raise kind(f"{self.path}: answers of an endpoint cannot be kept: {error}") from error
