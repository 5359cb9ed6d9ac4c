"""One model with one size of batches, in a process of its own, so that its memory and its load time are its own."""

import platform
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winnow.benchmarking.accuracy import measure_accuracy
from winnow.benchmarking.figures import ModelFigures
from winnow.benchmarking.sample import Sample
from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import Result, transcribe_requests
from winnow.engines.isolation import run_in_child
from winnow.engines.model_cache import get_model
from winnow.engines.registry import engine_for
from winnow.hardware import cores
from winnow.parameters.engine import EngineOptions
from winnow.parameters.redaction import first_line
from winnow.text.normalize import Normalizer

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


def measure_in_child(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> RawMeasurement:
    """The trial, in a process that ends with it."""
    return run_in_child(measure_here, checkpoint, options, requests)


def measure_here(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> RawMeasurement:
    engine_for(checkpoint.name).preload()  # whose time is not the checkpoint's
    began = time.perf_counter()
    recogniser = get_model(checkpoint, options)
    loaded = time.perf_counter() - began
    transcribe_requests(recogniser, requests[:WARM_UP_UTTERANCES], options)
    heard, spent = transcribe_requests(recogniser, requests, options)
    peak = spent["peak_device_bytes"] or peak_of_process()
    return RawMeasurement(heard, spent, loaded, peak, recogniser.batch_limits.seconds)


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


@dataclass(frozen=True)
class Measurement:
    """How every model is measured, and on what."""

    options: EngineOptions
    sample: Sample
    normalizer: Normalizer

    def row(self, checkpoint: Checkpoint, batch: float | None) -> ModelFigures:
        """The figures of the model with batches of so many seconds, or the reason why there are none."""
        row = ModelFigures(model=checkpoint.name, sha256=checkpoint.sha256, batch=batch)
        try:
            trial = measure_in_child(
                checkpoint, self.options.model_copy(update={"batch_seconds": batch}), self.sample.requests
            )
        except Exception as error:
            return row.model_copy(update={"failure": first_line(error)})
        return row.model_copy(update=figures(trial, self.sample.references, self.normalizer))


def figures(trial: RawMeasurement, references: list[str], normalizer: Normalizer) -> dict[str, Any]:
    """What a trial says of its model; what it could not read counts in no rate, and is counted itself."""
    pairs = zip(references, trial.heard, strict=True)
    texts = [(reference, heard.reading.text) for reference, heard in pairs if heard.reading]
    spent = trial.spent
    seconds = spent["seconds"]
    return {
        "accuracy": measure_accuracy(texts, normalizer),
        "rtfx": spent["audio_seconds"] / seconds,
        "utterances_per_second": spent["utterances"] / seconds,
        "load_seconds": trial.load_seconds,
        "peak_bytes": trial.peak_bytes,
        "batch_seconds": trial.batch_seconds,
        "precision": spent.get("precision"),
        "device": device_name(spent.get("device")),
        "unread": dict(Counter(heard.reason for heard in trial.heard if heard.reason)),
    }


def device_name(device: str | None) -> str | None:
    """A GPU's name, or the CPU's with the cores that it was given."""
    if device != "cpu":
        return device
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {cores()} cores"
