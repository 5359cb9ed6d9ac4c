"""How much of its audio a pass has transcribed while it still runs, for whoever shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Work = tuple[str, tuple[str, ...]]
"""The role of a pass and the names of the shards that it transcribes together."""

current: ContextVar[Work | None] = ContextVar("current", default=None)

listeners: list[Callable[[Work, float], None]] = []
"""Called with the seconds of audio of each call of a model that has ended, and with 0 as an attempt begins."""


@contextmanager
def working_on(role: str, shards: list[str]) -> Iterator[None]:
    """Say what the calls of models within this block belong to."""
    token = current.set((role, tuple(shards)))
    try:
        tell_listeners(0.0)
        yield
    finally:
        current.reset(token)


def tell_listeners(seconds: float) -> None:
    """Tell all listeners that so much more audio was transcribed."""
    if (work := current.get()) is not None:
        for listener in list(listeners):
            listener(work, seconds)
