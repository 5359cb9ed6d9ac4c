"""One model with one size of batches, in a process of its own, so that its memory and its load time are its own."""

import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.checkpoints.checkpoint import Checkpoint
from tasks.engine.apart import in_child
from tasks.engine.hearing import Heard, hear
from tasks.engine.quiet import asr_models
from tasks.engine.recogniser import Request, resident
from tasks.parameters.options import Engine

WARM = 8  # utterances that are read before the clock starts


@dataclass(frozen=True)
class Trial:
    """What a process heard and took. `peak_bytes` of the device's memory, or of the process's where it is the CPU.

    `batch_seconds` is what a batch may hold: as asked for, or what the engine found.
    """

    heard: list[Heard]
    spent: dict[str, Any] = field(default_factory=dict)
    load_seconds: float = 0.0
    peak_bytes: int = 0
    batch_seconds: float = 0.0


def attempt(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> Trial:
    """The trial, in a process that ends with it."""
    return in_child(attempt_here, checkpoint, options, requests)


def attempt_here(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> Trial:
    if checkpoint.family != "readings":
        asr_models()  # whose time is not the checkpoint's
    began = time.perf_counter()
    recogniser = resident(checkpoint, options)
    loaded = time.perf_counter() - began
    hear(recogniser, requests[:WARM], options)
    heard, spent = hear(recogniser, requests, options)
    peak = spent["peak_device_bytes"] or peak_of_process()
    return Trial(heard, spent, loaded, peak, recogniser.budget.seconds)


def peak_of_process() -> int:
    """The most main memory that this process had, in bytes.

    Not rusage's on Linux, which begins with what the process had that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
