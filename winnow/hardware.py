"""The machine that a run starts on: its devices, memory and cores.

`this_machine` asks the driver, since torch takes seconds to import; `usable_gpus` asks torch, which may not support the
driver.
"""

import math
import os
import shutil
import subprocess
from dataclasses import dataclass

import psutil

QUERY = "--query-gpu=index,uuid,name,memory.total,compute_cap"
BF16_CAPABILITY = 8.0  # compute capability from which on GPUs compute in bf16

CPU_BATCH_SECONDS = 40.0  # of audio in a batch: what a core's cache is best filled with (benchmarks/batches.py)
MAX_BATCH_SECONDS = 1_200.0  # of audio in a batch on a GPU: larger ones save no time, as kernels are long enough
MEMORY_SHARE = 0.6  # of the free memory, for batches: lengths differ, and allocators need room


@dataclass(frozen=True)
class Machine:
    """A device (the GPU with the least memory, or the CPU), and the main memory and cores beside it.

    Memory is in GB. What is unknown, of devices elsewhere, is infinite.
    """

    device: str
    gpu: bool
    memory: float
    cores: int
    main_memory: float
    bf16: bool = False


ELSEWHERE = Machine("devices elsewhere", True, math.inf, cores=10**6, main_memory=math.inf, bf16=True)


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver describes it; `memory` is in GB."""

    name: str
    memory: float
    compute_capability: float


def this_machine() -> Machine:
    """Describe this machine, by the GPUs that this process may use."""
    main_memory = psutil.virtual_memory().total / 1e9
    gpus = parse_gpus(query_nvidia_smi(), visible_ids())
    if not gpus:
        return Machine("the CPU", False, main_memory, cores(), main_memory)
    gpu = min(gpus, key=lambda gpu: gpu.memory)
    return Machine(gpu.name, True, gpu.memory, cores(), main_memory, gpu.compute_capability >= BF16_CAPABILITY)


def query_nvidia_smi() -> str:
    """Return the driver's list of GPUs, one per line; empty if there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", QUERY, "--format=csv,noheader,nounits"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


def visible_ids() -> list[str] | None:
    """Return the GPUs that CUDA_VISIBLE_DEVICES names, by index or UUID; None if it is not set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if visible is None else [name.strip() for name in visible.split(",") if name.strip()]


def parse_gpus(listing: str, visible: list[str] | None) -> list[Gpu]:
    """Parse nvidia-smi's list, as far as its GPUs are visible to this process."""
    rows = [[field.strip() for field in line.split(",")] for line in listing.splitlines() if line.count(",") == 4]
    return [
        Gpu(name, parse_float(mebibytes) * 2**20 / 1e9, parse_float(capability))
        for index, uuid, name, mebibytes, capability in rows
        if visible is None or index in visible or uuid in visible
    ]


def parse_float(text: str) -> float:
    """Parse a number of the driver's; infinite for [N/A], such as the memory of GPUs that share the main memory."""
    try:
        return float(text)
    except ValueError:
        return math.inf


def usable_gpus() -> list[str]:
    """Return the GPUs that torch can use in this process, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    return (visible_ids() or [str(index) for index in range(count)])[:count]


def cores() -> int:
    """Return how many cores this process, or its container, may use; WINNOW_CORES limits a worker that shares them."""
    if limit := os.environ.get("WINNOW_CORES"):
        return int(limit)
    from dask.system import cpu_count

    return cpu_count()


def is_device_fault(error: Exception) -> bool:
    """Tell whether a device failed in such a way that all further work of this process on it fails."""
    message = str(error)
    return "CUDA error" in message and "out of memory" not in message.lower()
