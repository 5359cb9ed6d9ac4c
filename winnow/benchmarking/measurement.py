"""Measuring one model with one batch size, in a process that does nothing else, so that memory is the model's own."""

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
from winnow.parameters.redaction import error_line
from winnow.text.comparison import Comparison

WARM_UP_UTTERANCES = 8  # transcribed before the measurement


@dataclass(frozen=True)
class RawMeasurement:
    """What a process transcribed, and what that took.

    `spent` is as `transcribe_requests` returns it. `peak_bytes` is device memory, or on a CPU the process's.
    `batch_seconds` is the batch size in use: the requested one, or the engine's choice.
    """

    results: list[Result]
    spent: dict[str, Any] = field(default_factory=dict)
    load_seconds: float = 0.0
    peak_bytes: int = 0
    batch_seconds: float = 0.0


def measure_in_child(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> RawMeasurement:
    """Measure a model in a new process."""
    return run_in_child(measure_here, checkpoint, options, requests)


def measure_here(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> RawMeasurement:
    """Measure a model in this process, which must not have loaded another one."""
    engine_for(checkpoint.name).preload()  # so that importing the framework does not count as loading the model
    began = time.perf_counter()
    recogniser = get_model(checkpoint, options)
    load_seconds = time.perf_counter() - began
    transcribe_requests(recogniser, requests[:WARM_UP_UTTERANCES], options)
    results, spent = transcribe_requests(recogniser, requests, options)
    peak_bytes = spent["peak_device_bytes"] or peak_of_process()
    return RawMeasurement(results, spent, load_seconds, peak_bytes, recogniser.batch_limits.seconds)


def peak_of_process() -> int:
    """Return the peak resident memory of this process in bytes.

    On Linux not from getrusage, whose maximum starts with the memory of the parent process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class Measurement:
    """How models are measured, and on which utterances."""

    options: EngineOptions
    sample: Sample
    comparison: Comparison

    def row(self, checkpoint: Checkpoint, batch: float | None) -> ModelFigures:
        """Return the figures of a model with batches of this many seconds, or why it could not be measured."""
        row = ModelFigures(model=checkpoint.name, sha256=checkpoint.sha256, batch=batch)
        options = self.options.model_copy(update={"batch_seconds": batch})
        try:
            measurement = measure_in_child(checkpoint, options, self.sample.requests)
        except Exception as error:
            return row.model_copy(update={"failure": error_line(error)})
        return row.model_copy(update=derive_figures(measurement, self.sample, self.comparison))


def derive_figures(measurement: RawMeasurement, sample: Sample, comparison: Comparison) -> dict[str, Any]:
    """Compute the fields of `ModelFigures`; quarantined utterances do not count in any rate."""
    rows = zip(sample.references, measurement.results, sample.languages, strict=True)
    compared = [((text, result.hypothesis.text), language) for text, result, language in rows if result.hypothesis]
    spent = measurement.spent
    return {
        "accuracy": measure_accuracy(
            [pair for pair, _ in compared], comparison, [language for _, language in compared]
        ),
        "rtfx": spent["audio_seconds"] / spent["seconds"],
        "utterances_per_second": spent["utterances"] / spent["seconds"],
        "load_seconds": measurement.load_seconds,
        "peak_bytes": measurement.peak_bytes,
        "batch_seconds": measurement.batch_seconds,
        "precision": spent.get("precision"),
        "device": device_name(spent.get("device")),
        "quarantined": dict(Counter(result.reason for result in measurement.results if result.reason)),
    }


def device_name(device: str | None) -> str | None:
    """Return the name of a GPU, or of the CPU with the number of cores in use."""
    if device != "cpu":
        return device
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {cores()} cores"
