"""Executors run work on devices; the result does not depend on where it ran."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from winnow.errors import DeviceLost
from winnow.hardware import is_device_fault
from winnow.parameters.ensemble import Settings
from winnow.parameters.placement import Placement

R = TypeVar("R")

Work = Callable[..., R]
"""A function that runs on a device. It gets two keyword arguments: the name of its `device`, and whether its model must
be `isolated`, in a child process that may die without harm."""

ANYWHERE = Placement()


class Executor(Protocol):
    """A pool of devices."""

    def slots(self, placement: Placement = ANYWHERE) -> int:
        """Return how many pieces of work with this placement run at once."""

    def run(self, work: Work[R], *args: Any, placement: Placement = ANYWHERE) -> R:
        """Return the result of the work; raises DeviceLost if its process died without one."""


class InlineExecutor:
    """The flow's own process, which does one piece of work at a time, since a model fills the machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._device_failed = False

    def slots(self, placement: Placement = ANYWHERE) -> int:
        return 1

    def run(self, work: Work[R], *args: Any, placement: Placement = ANYWHERE) -> R:
        with self._lock:
            try:
                return work(*args, device="inline", isolated=self._device_failed)
            except RuntimeError as error:
                if is_device_fault(error) and not self._device_failed:
                    self._device_failed = True  # for this process; a new one may be able to use it
                    raise DeviceLost(f"the device failed; from now on child processes use it: {error}") from error
                raise


@contextmanager
def open_executor(settings: Settings) -> Iterator[Executor]:
    """Open the devices of a run; what was started for it ends with the block."""
    if settings.devices == "inline":
        yield InlineExecutor()
        return
    from winnow.devices.dask_cluster import open_cluster
    from winnow.devices.dask_executor import DaskExecutor

    with open_cluster(settings.devices, settings.dask, settings.placements) as connect:
        workers = DaskExecutor(connect)
        try:
            for placement in settings.placements:
                workers.require(placement)
            yield workers
        finally:
            workers.close()
