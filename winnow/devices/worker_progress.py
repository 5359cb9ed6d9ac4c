"""How far the work on Dask's workers is, told to the process that waits for it: by events of the scheduler."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from distributed import Client, get_worker

from winnow.engines import call_progress

R = TypeVar("R")


def run_and_tell(topic: str, work: Callable[..., R], *args: Any, **options: Any) -> R:
    """Do the work on a worker, and log as events of this topic what its models have transcribed."""
    worker, thread = get_worker(), threading.get_ident()

    def tell(of: call_progress.Work, seconds: float) -> None:
        if threading.get_ident() == thread:  # others are about other work on the same worker
            with suppress(Exception):  # what is shown must not end the work
                worker.log_event(topic, [*of, seconds])

    call_progress.listeners.append(tell)
    try:
        return work(*args, **options)
    finally:
        call_progress.listeners.remove(tell)


def hear_of_workers(client: Client, topic: str) -> None:
    """Tell the listeners of this process what workers log as events of this topic."""

    def hear(event: tuple[float, Any]) -> None:
        role, names, seconds = event[1]
        for listener in list(call_progress.listeners):
            listener((role, tuple(names)), seconds)

    client.subscribe_topic(topic, hear)
