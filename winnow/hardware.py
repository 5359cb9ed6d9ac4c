"""The machine that a run starts on: its devices and how much memory and how many cores there are. torch is not asked,
since it takes seconds to import."""

import math
import os
import shutil
import subprocess
from dataclasses import dataclass

import psutil

QUERY = "--query-gpu=index,uuid,name,memory.total,compute_cap"
BF16 = 8.0  # compute capability from which on GPUs compute in bf16


@dataclass(frozen=True)
class Machine:
    """A device (the GPU with least memory, or the CPU), its memory in GB, and the main memory and cores beside it.

    What is not known from here, of devices elsewhere, is infinite.
    """

    device: str
    gpu: bool
    memory: float
    cores: int
    main_memory: float
    bf16: bool = False


ELSEWHERE = Machine("devices elsewhere", True, math.inf, cores=10**6, main_memory=math.inf, bf16=True)


def this_machine() -> Machine:
    main, here = psutil.virtual_memory().total / 1e9, cores()
    found = parse_gpus(query_nvidia_smi(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    if not found:
        return Machine("the CPU", False, main, here, main)
    name, memory, capability = min(found, key=lambda gpu: gpu[1])
    return Machine(name, True, memory, here, main, capability >= BF16)


def query_nvidia_smi() -> str:
    """What the driver says of its GPUs, one a line; nothing where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return ""
    line = ["nvidia-smi", QUERY, "--format=csv,noheader,nounits"]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=30).stdout


def parse_gpus(said: str, visible: str | None) -> list[tuple[str, float, float]]:
    """Name, memory in GB and compute capability of each GPU that this process may use (CUDA_VISIBLE_DEVICES)."""
    rows = [[part.strip() for part in line.split(",")] for line in said.splitlines() if line.count(",") == 4]
    wanted = None if visible is None else [name.strip() for name in visible.split(",")]
    return [
        (name, to_float(mebibytes) * 2**20 / 1e9, to_float(capability))
        for index, uuid, name, mebibytes, capability in rows
        if wanted is None or index in wanted or uuid in wanted
    ]


def to_float(said: str) -> float:
    """A figure of the driver's; GPUs that share the main memory have none of their own ([N/A])."""
    try:
        return float(said)
    except ValueError:
        return math.inf


def cores() -> int:
    """The cores that this process, or its container, may use; a worker that shares them is told by WINNOW_CORES."""
    if given := os.environ.get("WINNOW_CORES"):
        return int(given)
    from dask.system import cpu_count

    return cpu_count()


CPU_BATCH_SECONDS = 40.0  # in a batch: what a core's cache is best filled with (benchmarks/batches.py)


MAX_BATCH_SECONDS = 1_200.0  # more in a batch of a GPU saves no time: its kernels are long enough


MEMORY_SHARE = 0.6  # of what is free, for batches: lengths differ, and allocators need room


def is_device_fault(error: Exception) -> bool:
    """Whether a device failed such that all that its process asks of it fails from now on."""
    said = str(error)
    return "CUDA error" in said and "out of memory" not in said.lower()
