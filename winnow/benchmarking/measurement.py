"""One model with one size of batches, in a process of its own, so that its memory and its load time are its own."""

import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winnow.engines.inference import Result, transcribe_requests
from winnow.engines.isolation import run_in_child
from winnow.engines.nemo.nemo_import import import_asr_models
from winnow.engines.recogniser import Request, get_model
from winnow.models.resolve import Checkpoint
from winnow.parameters.options import Engine

WARM_UP_UTTERANCES = 8  # utterances that are read before the clock starts


@dataclass(frozen=True)
class RawMeasurement:
    """What a process heard and took. `peak_bytes` of the device's memory, or of the process's where it is the CPU.

    `batch_seconds` is what a batch may hold: as asked for, or what the engine found.
    """

    heard: list[Result]
    spent: dict[str, Any] = field(default_factory=dict)
    load_seconds: float = 0.0
    peak_bytes: int = 0
    batch_seconds: float = 0.0


def measure_in_child(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> RawMeasurement:
    """The trial, in a process that ends with it."""
    return run_in_child(measure_here, checkpoint, options, requests)


def measure_here(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> RawMeasurement:
    if checkpoint.family != "readings":
        import_asr_models()  # whose time is not the checkpoint's
    began = time.perf_counter()
    recogniser = get_model(checkpoint, options)
    loaded = time.perf_counter() - began
    transcribe_requests(recogniser, requests[:WARM_UP_UTTERANCES], options)
    heard, spent = transcribe_requests(recogniser, requests, options)
    peak = spent["peak_device_bytes"] or peak_of_process()
    return RawMeasurement(heard, spent, loaded, peak, recogniser.budget.seconds)


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
