"""Where work runs. A flow gives its device work to `run`; what comes back does not depend on the place."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Devices(Protocol):
    """A pool of devices; `slots` pieces of work run at once."""

    slots: int

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...


class Inline:
    """The flow's own process, one piece of work after another: a model fills the machine by itself."""

    slots = 1

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        with self._turn:
            return work(*args, **kwargs)


@contextmanager
def open_devices(kind: Literal["inline"]) -> Iterator[Devices]:
    """The devices of a run; what was started for it ends with the block."""
    assert kind == "inline"
    yield Inline()
