"""Work on Dask's workers, of which each has a device.

Dask carries work to the workers and reports when one died; the allocator decides which device is free, and Prefect
retries failures. Dask itself retries nothing (allowed-failures 0), and a worker never gets more work than it can run at
once, so that its death is blamed on the one piece of work that runs there.
"""

import asyncio
import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker

from winnow.devices.allocator import POLL_SECONDS, Allocator, Device
from winnow.devices.executors import ANYWHERE, Work
from winnow.devices.worker_progress import hear_of_workers, run_and_tell
from winnow.errors import DeviceLost, InputError
from winnow.hardware import is_device_fault
from winnow.parameters.placement import Placement

R = TypeVar("R")

JOIN_TIMEOUT = 60.0  # seconds for workers to join at the start
NO_WORKER_TIMEOUT = 600.0  # seconds that a run waits for a device when all are gone; a worker restarts in 1 to 25
MAX_FAILURES = 2  # deaths of a piece of work's workers, or faults of a device, that are no longer taken for chance

log = logging.getLogger("winnow")


class DaskExecutor:
    """Devices whose work runs in Dask workers. `connect` returns a client of their scheduler.

    Every `poll_seconds` a waiting piece of work looks whether its worker still exists.
    """

    def __init__(self, connect: Callable[[], Client], poll_seconds: float = POLL_SECONDS) -> None:
        self._connect, self._poll_seconds = connect, poll_seconds
        self._topic = f"winnow-progress-{uuid.uuid4().hex}"
        self._client = self._connected()
        self._reconnecting = threading.Lock()
        self._deaths: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self.allocator = Allocator(self.devices)

    def _connected(self) -> Client:
        client = self._connect()
        hear_of_workers(client, self._topic)
        return client

    def devices(self) -> list[Device]:
        """Return the workers that the scheduler knows at this moment; none while there is no scheduler."""
        client = self._client
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"].items()
        except (OSError, ValueError, RuntimeError, KeyError):  # whatever a client says of a scheduler that has gone
            self._reconnect(client)
            return []
        return [Device(str(info["name"]), dict(info.get("resources") or {}), address) for address, info in workers]

    def require(self, placement: Placement) -> None:
        self.allocator.require(placement, JOIN_TIMEOUT)

    def slots(self, placement: Placement = ANYWHERE) -> int:
        return max(1, sum(device.capacity(placement) for device in self.allocator.eligible(placement)))

    def run(self, work: Work[R], *args: Any, placement: Placement = ANYWHERE) -> R:
        """Return the result of the work, from a worker; after two deaths the work is isolated from the worker."""
        name = repr(args[:1])
        with self.allocator.lease(placement, NO_WORKER_TIMEOUT) as device:
            isolated = self._deaths[name] >= MAX_FAILURES
            try:
                return self._run_on(device, work, *args, placement=placement, isolated=isolated)
            except KilledWorker as error:
                self._deaths[name] += 1
                raise DeviceLost(f"worker {device.name} died during this work, attempt {self._deaths[name]}") from error
            except RuntimeError as error:
                if is_device_fault(error):
                    self._restart_or_drop(device.name)
                    raise DeviceLost(f"the device of worker {device.name} failed: {error}") from error
                raise

    def _run_on(self, device: Device, work: Work[R], *args: Any, placement: Placement, isolated: bool) -> R:
        demand = {name: amount for name, amount in device.demand(placement).items() if name in device.resources}
        options = {"device": device.name, "isolated": isolated}
        client = self._client
        try:
            place: dict[str, Any] = {"workers": [device.address], "resources": demand, "pure": False}
            future = client.submit(run_and_tell, self._topic, work, *args, **options, **place)
        except Exception as error:  # the work itself has not begun
            self._reconnect(client)
            raise DeviceLost(f"worker {device.name} does not accept work: {error}") from error
        try:
            result: R = self._wait(future, client, device)
            return result
        except CancelledError as error:
            self._reconnect(client)
            raise DeviceLost(f"Dask's scheduler was lost, and with it the work on {device.name}") from error
        finally:
            with suppress(Exception):
                future.cancel()

    def _wait(self, future: Future[Any], client: Client, device: Device) -> Any:
        """Return the result of the work; raises DeviceLost if its worker disappears.

        A worker that goes with a result which nobody has fetched leaves the future unfinished for ever: Dask would
        have the work done again on that very worker. Nothing is cancelled between two polls, unlike by
        `future.result(timeout)`: Dask fetches the results of several threads at once, and would cancel those of all.
        """
        loop: Any = client.loop  # tornado's, around that of asyncio
        waiting = asyncio.run_coroutine_threadsafe(client.gather(future, asynchronous=True), loop.asyncio_loop)
        missed_polls = 0
        while not wait([waiting], self._poll_seconds).done:
            addresses = {known.address for known in self.devices()}
            missed_polls = 0 if device.address in addresses else missed_polls + 1
            if missed_polls > 1:
                raise DeviceLost(f"worker {device.name} disappeared before its work was done")
        return waiting.result()

    def _restart_or_drop(self, name: str) -> None:
        """Restart the worker of a device that failed; drop the device at its second failure."""
        self._faults[name] += 1
        if self._faults[name] >= MAX_FAILURES:
            self.allocator.dropped.add(name)
            log.warning("device %s dropped after %d failures", name, MAX_FAILURES)
        with suppress(Exception):  # it may be gone already
            self._client.restart_workers([name], raise_for_error=False)

    def _reconnect(self, old: Client) -> None:
        """Replace a client that has lost its scheduler for good, if there is a scheduler again."""
        with self._reconnecting, suppress(OSError, InputError):
            if self._client is old and old.status == "closed":
                self._client = self._connected()

    def close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=5)
