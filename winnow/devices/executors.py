"""Where work runs. A flow gives its device work to `run`; what comes back does not depend on the place."""

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
"""What runs on a device. It is told by keywords which (`device`), and whether to keep its model `apart`, in a process
that may die without harm."""

ANYWHERE = Placement()


class Executor(Protocol):
    """A pool of devices."""

    def slots(self, on: Placement = ANYWHERE) -> int:
        """How many pieces of work run at once there."""

    def run(self, work: Work[R], *args: Any, on: Placement = ANYWHERE) -> R:
        """The work's result; raises DeviceLost where it died without one."""


class InlineExecutor:
    """The flow's own process, one piece of work after another: a model fills the machine by itself."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._faulty = False

    def slots(self, on: Placement = ANYWHERE) -> int:
        return 1

    def run(self, work: Work[R], *args: Any, on: Placement = ANYWHERE) -> R:
        with self._turn:
            try:
                return work(*args, device="inline", apart=self._faulty)
            except RuntimeError as error:
                if is_device_fault(error) and not self._faulty:
                    self._faulty = True  # this process has lost the device; a new one may not have
                    raise DeviceLost(f"the device failed, and is left to processes of their own: {error}") from error
                raise


@contextmanager
def open_executor(settings: Settings) -> Iterator[Executor]:
    """The devices of a run; what was started for it ends with the block."""
    if settings.devices == "inline":
        yield InlineExecutor()
        return
    from winnow.devices.dask_executor import DaskExecutor, open_cluster

    with open_cluster(settings.devices, settings.dask, settings.placements) as connect:
        workers = DaskExecutor(connect)
        try:
            for placement in settings.placements:
                workers.require(placement)
            yield workers
        finally:
            workers.close()
