"""Devices on Dask: a worker process each, on this machine or wherever workers joined a scheduler.

Dask starts the processes, carries the work there and says when one died; which device has room is ours to say (Leases),
and failures are Prefect's to try again. Dask itself tries nothing twice (allowed-failures 0), and a worker is given no
more than it can run at once, so that its death is blamed on the one piece of work that runs there.
"""

import ipaddress
import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import dask.config
from distributed import Client, Future, KilledWorker, Nanny, Scheduler, SpecCluster
from distributed.client import FutureCancelledError
from distributed.security import Security

from winnow.devices.allocator import POLL_SECONDS, Allocator, Device
from winnow.devices.executors import ANYWHERE, Work
from winnow.errors import DeviceLost, InsecureScheduler, OptionError
from winnow.hardware import cores, is_device_fault
from winnow.parameters.placement import Dask, Placement

R = TypeVar("R")

JOIN_TIMEOUT = 60.0  # seconds for workers to be there at the start
NO_WORKER_TIMEOUT = 600.0  # seconds that a run waits for a device when all have gone; a worker restarts in 1 to 25
MAX_FAILURES = 2  # deaths of a piece of work's workers, or faults of a device, that nobody takes for chance
THREADS = 16  # of a worker: more than there are shares of its device

log = logging.getLogger("winnow")


class DaskExecutor:
    """Devices whose work runs in Dask workers. `connect` gives a client of their scheduler."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client = connect()
        self._renewal = threading.Lock()
        self._deaths: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self.leases = Allocator(self.devices)

    def devices(self) -> list[Device]:
        """The workers that the scheduler knows at this moment; none while there is no scheduler."""
        client = self._client
        try:
            found = client.scheduler_info(n_workers=-1)["workers"].items()
        except (OSError, ValueError, RuntimeError):  # whatever a client says of a scheduler that has gone
            self._renew(client)
            return []
        return [Device(str(known["name"]), dict(known.get("resources") or {}), address) for address, known in found]

    def require(self, on: Placement) -> None:
        self.leases.require(on, JOIN_TIMEOUT)

    def slots(self, on: Placement = ANYWHERE) -> int:
        return max(1, sum(device.times(on) for device in self.leases.open_to(on)))

    def run(self, work: Work[R], *args: Any, on: Placement = ANYWHERE) -> R:
        """The work's result, from a worker. After two deaths it is told to keep its model apart from the worker."""
        name = repr(args[:1])
        with self.leases.lease(on, NO_WORKER_TIMEOUT) as device:
            apart = self._deaths[name] >= MAX_FAILURES
            try:
                return self._there(device, work, *args, on=on, apart=apart)
            except KilledWorker as error:
                self._deaths[name] += 1
                died = f"the worker {device.name} died at this work, the {self._deaths[name]}. time"
                raise DeviceLost(died) from error
            except RuntimeError as error:
                if is_device_fault(error):
                    self._fault(device.name)
                    raise DeviceLost(f"the device of {device.name} failed: {error}") from error
                raise

    def _there(self, device: Device, work: Work[R], *args: Any, on: Placement, apart: bool) -> R:
        asked = {name: much for name, much in device.asked(on).items() if name in device.has}
        here = {"device": device.name, "apart": apart}
        client = self._client
        try:
            future = client.submit(work, *args, **here, workers=[device.address], resources=asked, pure=False)
        except Exception as error:  # the work itself has not begun
            self._renew(client)
            raise DeviceLost(f"no work can be given to {device.name}: {error}") from error
        try:
            result: R = self._result(future, device)
            return result
        except FutureCancelledError as error:
            self._renew(client)
            raise DeviceLost(f"Dask's scheduler was lost, and with it the work at {device.name}") from error
        finally:
            with suppress(Exception):
                future.cancel()

    def _result(self, future: Future[Any], device: Device) -> Any:
        """The work's result, waited for as long as its worker is there.

        A worker that goes with a result which nobody has fetched leaves the future unfinished for ever: Dask would
        have the work done again in just that worker.
        """
        missed = 0
        while True:
            try:
                return future.result(timeout=POLL_SECONDS)
            except TimeoutError:
                if future.status == "error":  # the work's own
                    raise
            missed = 0 if device.address in {known.address for known in self.devices()} else missed + 1
            if missed > 1:
                raise DeviceLost(f"the worker {device.name} went before its work was done")

    def _fault(self, name: str) -> None:
        """A new process for a device that failed; one that failed twice is used no more."""
        self._faults[name] += 1
        if self._faults[name] >= MAX_FAILURES:
            self.leases.dropped.add(name)
            log.warning("%s failed %d times and is used no more", name, MAX_FAILURES)
        with suppress(Exception):  # it may be gone already
            self._client.restart_workers([name], raise_for_error=False)

    def _renew(self, old: Client) -> None:
        """Another client in the place of one that has lost its scheduler for good, if there is a scheduler again."""
        with self._renewal, suppress(OSError):
            if self._client is old and old.status == "closed":
                self._client = self._connect()

    def close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=5)


@contextmanager
def open_cluster(devices: str, options: Dask, placements: list[Placement]) -> Iterator[Callable[[], Client]]:
    """What connects to the scheduler of `devices`: one that is started for the block, or one that is there."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it says of deaths is said here as well
    here = devices == "local"
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.comm.timeouts.connect": "60s" if here else "10s",
        "distributed.deploy.lost-worker-timeout": f"{NO_WORKER_TIMEOUT}s",  # a busy worker needs over 15 s
    }
    with dask.config.set(settings):
        if not here:
            yield lambda: connect_remote(devices, options)
            return
        workers = local_workers(options, placements)
        with SpecCluster(workers, SCHEDULER, silence_logs=False) as cluster:
            yield lambda: Client(cluster, set_as_default=False)


SCHEDULER = {
    "cls": Scheduler,
    "options": {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
}


def local_workers(options: Dask, placements: list[Placement]) -> dict[str, Any]:
    """A worker for each GPU that this process sees, and CPU workers where there is none or they are asked for."""
    workers = {}
    for i, gpu in enumerate(visible_gpus()):
        workers[f"cuda:{i}"] = worker_spec(f"cuda:{i}", {"GPU": 1, "CPU": cores()}, CUDA_VISIBLE_DEVICES=gpu)
    by_name = any("cpu" in (on.device_id or "") for on in placements)
    if workers and options.workers and not by_name:
        raise OptionError("dask.workers: there are GPUs here, and no pass names CPU workers (device_id cpu:0)")
    if not workers or by_name:
        number = options.workers or 1
        each = max(1, cores() // number)
        for i in range(number):
            workers[f"cpu:{i}"] = worker_spec(
                f"cpu:{i}", {"CPU": each}, WINNOW_CORES=str(each), CUDA_VISIBLE_DEVICES=""
            )
    return workers


def worker_spec(name: str, resources: dict[str, float], **environment: str) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    options = {
        "name": name,
        "nthreads": THREADS,
        "memory_limit": 0,  # Dask would kill what it thinks too large
        "resources": resources | {"MEMORY": memory},
        "env": environment,
        "host": "127.0.0.1",
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
    }
    return {"cls": Nanny, "options": options}


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",") if given else [str(i) for i in range(torch.cuda.device_count())]


def connect_remote(place: str, options: Dask) -> Client:
    """A client of the scheduler at an address, or at the one in a scheduler's file."""
    address = place if "://" in place else read_scheduler_file(Path(place))
    encrypted = address.startswith("tls://")
    refuse_exposed(address, encrypted, options)
    given = {"tls_ca_file": options.tls_ca_file, "tls_client_cert": options.tls_cert, "tls_client_key": options.tls_key}
    files = {name: str(path) for name, path in given.items() if path}
    try:
        security = Security(require_encryption=True, **files) if encrypted else None
        client = Client(address, security=security, set_as_default=False, timeout="30s")
    except (OSError, TimeoutError, ValueError) as error:
        raise OSError(f"no Dask scheduler at {address} ({error})") from error
    try:
        refuse_exposed(client.scheduler_info()["address"], encrypted, options)
    except InsecureScheduler:
        client.close()
        raise
    return client


def read_scheduler_file(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["address"])
    except (OSError, ValueError, KeyError) as error:
        raise OptionError(f"{file}: no file of a Dask scheduler (dask scheduler --scheduler-file)") from error


def refuse_exposed(address: str, encrypted: bool, options: Dask) -> None:
    """Refuse a scheduler that other machines reach and that takes work from anybody."""
    host = urlsplit(address).hostname or ""
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    if not encrypted and not options.allow_unencrypted and host != "localhost":
        raise InsecureScheduler(
            f"the Dask scheduler at {address} can be reached from other machines and is not encrypted, so that anybody "
            "there can have it run anything: use TLS (tls://), bind it to 127.0.0.1, or set dask.allow_unencrypted"
        )
