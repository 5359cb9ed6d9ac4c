"""Whose turn it is: one asks for the same audio, and so many ask the same endpoint, in all processes of a run."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from weakref import WeakValueDictionary

from winnow.audio.remote.pauses import pause
from winnow.engines.endpoint.database import IN_MEMORY, Database
from winnow.file_lock import locked

POLL_SECONDS = 0.05


class Turn:
    """Who may ask for a key; it lasts as long as somebody asks or waits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Turns:
    """Turns of threads, and by locked files beside the database, of processes: a process that dies leaves its own.

    The processes of a run are those of Dask's workers; also models of one endpoint share its places.
    """

    def __init__(self, database: Database, url: str, at_once: int) -> None:
        self.database = database
        self._folder = None if database.path == IN_MEMORY else database.path.parent
        host = sha256(url.encode()).hexdigest()[:16]
        self._files = [f"{host}-{number}.place" for number in range(at_once)]
        self._places = threading.BoundedSemaphore(at_once)
        self._lock, self._searching = threading.Lock(), threading.Lock()
        self._under_way: WeakValueDictionary[str, Turn] = WeakValueDictionary()

    @contextmanager
    def once(self, key: str) -> Iterator[None]:
        """Let one at a time ask for a key, so that the others find its answer, or ask in turn if it failed."""
        with self._lock:
            turn = self._under_way.setdefault(key, Turn())
        with turn.lock, ExitStack() as held:
            self._take_first(held, [f"{key}.lock"])
            yield

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the endpoint's places for a request."""
        with self._places, ExitStack() as held:
            with self._searching:  # one thread looks at all places; if each did, they would take a core
                self._take_first(held, self._files)
            yield

    def _take_first(self, held: ExitStack, names: Sequence[str]) -> None:
        """Lock the first of these files that is free until `held` ends; raises GivenUp if nobody waits any more."""
        while self._folder and not any(self._took(held, self._folder / name) for name in names):
            pause(POLL_SECONDS)

    def _took(self, held: ExitStack, path: Path) -> bool:
        """Lock a file until `held` ends; tell whether it was free."""
        with self.database.errors():
            try:
                held.enter_context(locked(path, wait=False))
            except BlockingIOError:
                return False
        return True
