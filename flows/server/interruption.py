"""SIGINT and SIGTERM in a command's process: its flow run gets a final state on the server before the process ends.

While a flow runs, Prefect handles SIGTERM and waits for the tasks that are running, which can take as long as a shard.
Its handler is replaced as soon as the flow is entered. A signal that comes while a flow run is being created waits
until the run is entered, because the run is known only then.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
CREATE_TIMEOUT = 5.0  # seconds that a signal waits for a flow run that is being created


class Interruption:
    """The handling of the first signal of this process; further ones are ignored."""

    def __init__(self, create_timeout: float = CREATE_TIMEOUT) -> None:
        self._create_timeout = create_timeout
        self._end: Callable[[int], None] | None = None
        self._creating = False
        self._waiting: list[int] = []
        self._ending = threading.Lock()

    def on_signal(self, end: Callable[[int], None]) -> None:
        """From now on, call `end` with the number of the first signal. `end` does not return."""
        self._end = end
        for number in SIGNALS:
            signal.signal(number, self._handle)

    @contextmanager
    def creating_flow_run(self) -> Iterator[None]:
        """Hold signals back from here until the flow run is entered, or the block ends without one."""
        self._creating = True
        try:
            yield
        finally:
            self._release()

    def entered(self) -> None:
        """Handle what was held back while the flow run was being created, and take SIGTERM over from Prefect."""
        self._release()
        if self._end and threading.current_thread() is threading.main_thread():
            self.on_signal(self._end)

    def _handle(self, number: int, frame: object) -> None:
        for further in SIGNALS:
            signal.signal(further, signal.SIG_IGN)
        if self._creating:
            self._waiting.append(number)
            timer = threading.Timer(self._create_timeout, self._end_once, [number])
            timer.daemon = True
            timer.start()
        else:
            self._end_once(number)

    def _release(self) -> None:
        self._creating = False
        if self._waiting:
            self._end_once(self._waiting[0])

    def _end_once(self, number: int) -> None:
        if self._end and self._ending.acquire(blocking=False):
            self._end(number)


interruption = Interruption()
"""That of this process."""
