"""Clusters of Dask: workers that are started on this machine for a run, or those that joined a scheduler elsewhere.

A local cluster has one worker process for each GPU, or workers that divide the CPU cores.
"""

import concurrent.futures
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dask.config
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.security import Security

from winnow.devices.dask_executor import NO_WORKER_TIMEOUT
from winnow.devices.scheduler_address import no_scheduler, refuse_exposed, require_scheduler
from winnow.errors import InsecureScheduler, OptionError
from winnow.hardware import cores, usable_gpus
from winnow.parameters.placement import Dask, Placement

HANDSHAKE_TIMEOUT = 15.0  # seconds for a scheduler whose host answers
THREADS = 16  # per worker: more than there are shares of its device


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
