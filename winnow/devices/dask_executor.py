"""Devices on Dask: one worker process per device, on this machine or wherever workers joined a scheduler.

Dask starts the processes, carries work to them and reports when one died; the allocator decides which device is free,
and Prefect retries failures. Dask itself retries nothing (allowed-failures 0), and a worker never gets more work than
it can run at once, so that its death is blamed on the one piece of work that runs there.
"""

import concurrent.futures
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import dask.config
from distributed import Client, Future, KilledWorker, Nanny, Scheduler, SpecCluster
from distributed.client import FutureCancelledError
from distributed.security import Security

from winnow.devices.allocator import POLL_SECONDS, Allocator, Device
from winnow.devices.executors import ANYWHERE, Work
from winnow.devices.scheduler_address import no_scheduler, refuse_exposed, require_scheduler
from winnow.errors import DeviceLost, InputError, InsecureScheduler, OptionError
from winnow.hardware import cores, is_device_fault, usable_gpus
from winnow.parameters.placement import Dask, Placement

R = TypeVar("R")

HANDSHAKE_TIMEOUT = 15.0  # seconds for a scheduler whose host answers
JOIN_TIMEOUT = 60.0  # seconds for workers to join at the start
NO_WORKER_TIMEOUT = 600.0  # seconds that a run waits for a device when all are gone; a worker restarts in 1 to 25
MAX_FAILURES = 2  # deaths of a piece of work's workers, or faults of a device, that are no longer taken for chance
THREADS = 16  # per worker: more than there are shares of its device

log = logging.getLogger("winnow")


class DaskExecutor:
    """Devices whose work runs in Dask workers. `connect` returns a client of their scheduler."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client = connect()
        self._reconnecting = threading.Lock()
        self._deaths: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self.allocator = Allocator(self.devices)

    def devices(self) -> list[Device]:
        """Return the workers that the scheduler knows at this moment; none while there is no scheduler."""
        client = self._client
        try:
            workers = client.scheduler_info(n_workers=-1)["workers"].items()
        except (OSError, ValueError, RuntimeError):  # whatever a client says of a scheduler that has gone
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
            future = client.submit(work, *args, **options, workers=[device.address], resources=demand, pure=False)
        except Exception as error:  # the work itself has not begun
            self._reconnect(client)
            raise DeviceLost(f"worker {device.name} does not accept work: {error}") from error
        try:
            result: R = self._wait(future, device)
            return result
        except FutureCancelledError as error:
            self._reconnect(client)
            raise DeviceLost(f"Dask's scheduler was lost, and with it the work on {device.name}") from error
        finally:
            with suppress(Exception):
                future.cancel()

    def _wait(self, future: Future[Any], device: Device) -> Any:
        """Return the result of the work; raises DeviceLost if its worker disappears.

        A worker that goes with a result which nobody has fetched leaves the future unfinished for ever: Dask would
        have the work done again on that very worker.
        """
        missed_polls = 0
        while True:
            try:
                return future.result(timeout=POLL_SECONDS)
            except TimeoutError:
                if future.status == "error":  # the work's own
                    raise
            addresses = {known.address for known in self.devices()}
            missed_polls = 0 if device.address in addresses else missed_polls + 1
            if missed_polls > 1:
                raise DeviceLost(f"worker {device.name} disappeared before its work was done")

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
                self._client = self._connect()

    def close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=5)


@contextmanager
def open_cluster(devices: str, options: Dask, placements: list[Placement]) -> Iterator[Callable[[], Client]]:
    """Yield a function that connects to the scheduler of `devices`; a local cluster is started for the block.

    All processes of a local cluster have the same new certificate, which is only in their memory. Nothing else can
    connect to them, and their web servers have no pages.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # our own messages report deaths
    local = devices == "local"
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.comm.timeouts.connect": "60s" if local else "10s",
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.deploy.lost-worker-timeout": f"{NO_WORKER_TIMEOUT}s",  # a busy worker needs over 15 s
    }
    with dask.config.set(settings):
        if not local:
            yield lambda: connect_remote(devices, options)
            return
        workers, security = local_workers(options, placements), Security.temporary()
        for spec in (scheduler := scheduler_spec(), *workers.values()):
            spec["options"] |= {"protocol": "tls://", "security": security}
        with SpecCluster(workers, scheduler, security=security, silence_logs=False) as cluster:
            yield lambda: Client(cluster, set_as_default=False)


def scheduler_spec() -> dict[str, Any]:
    """Return the scheduler of a local cluster, in Dask's form."""
    options = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    return {"cls": Scheduler, "options": options}


def local_workers(options: Dask, placements: list[Placement]) -> dict[str, Any]:
    """Return a worker for each GPU, and CPU workers if there is no GPU or a placement names one.

    Raises OptionError if CPU workers are configured that nothing would use.
    """
    workers = {}
    for number, gpu in enumerate(usable_gpus()):
        name = f"cuda:{number}"
        workers[name] = worker_spec(name, {"GPU": 1, "CPU": cores()}, CUDA_VISIBLE_DEVICES=gpu)
    cpu_named = any("cpu" in (placement.device_id or "") for placement in placements)
    if workers and options.workers and not cpu_named:
        raise OptionError(
            "dask.workers: not used, because this machine has GPUs and no pass names a CPU worker (device_id cpu:0)"
        )
    if not workers or cpu_named:
        count = options.workers or 1
        share = max(1, cores() // count)
        for number in range(count):
            name = f"cpu:{number}"
            workers[name] = worker_spec(name, {"CPU": share}, WINNOW_CORES=str(share), CUDA_VISIBLE_DEVICES="")
    return workers


def worker_spec(name: str, resources: dict[str, float], **environment: str) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    options = {
        "name": name,
        "nthreads": THREADS,
        "memory_limit": 0,  # Dask would kill a worker that it takes for too large
        "resources": resources | {"MEMORY": memory},
        "env": environment,
        "host": "127.0.0.1",
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }
    return {"cls": Nanny, "options": options}


def connect_within(seconds: float, address: str, security: Security | None) -> Client:
    """Return a client of the scheduler at an address; raise TimeoutError after that time.

    Dask's own limit does not hold for a peer that accepts a connection and then says nothing.
    """
    client: concurrent.futures.Future[Client] = concurrent.futures.Future()

    def connect() -> None:
        try:
            client.set_result(Client(address, security=security, set_as_default=False, timeout=seconds))
        except BaseException as error:
            client.set_exception(error)

    threading.Thread(target=connect, daemon=True).start()
    return client.result(seconds + 1)


def connect_remote(devices: str, options: Dask) -> Client:
    """Connect to the scheduler at an address, or at the address in a scheduler file."""
    address = require_scheduler(devices, options)
    encrypted = address.startswith("tls://")
    files = {
        "tls_ca_file": options.tls_ca_file,
        "tls_client_cert": options.tls_cert,
        "tls_client_key": options.tls_key,
    }
    paths = {name: str(path) for name, path in files.items() if path}
    try:
        security = Security(require_encryption=True, **paths) if encrypted else None
        client = connect_within(HANDSHAKE_TIMEOUT, address, security)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        raise no_scheduler(devices, address, error) from error
    try:
        refuse_exposed(client.scheduler_info()["address"], encrypted, options)
    except InsecureScheduler:
        client.close()
        raise
    return client
