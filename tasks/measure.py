"""Measuring a model on a sample of a manifest."""

import platform
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Failed

from winnow.benchmarking.accuracy import measure_accuracy
from winnow.benchmarking.figures import ModelFigures
from winnow.benchmarking.measurement import RawMeasurement, measure_in_child
from winnow.benchmarking.sample import Sample
from winnow.engines.recogniser import cores
from winnow.models.resolve import Checkpoint, first_line
from winnow.parameters.options import Engine
from winnow.text.normalize import Normalizer


@dataclass(frozen=True)
class Measurement:
    """How every model is measured, and on what."""

    options: Engine
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
        "x_real_time": spent["audio_seconds"] / seconds,
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


def task_label() -> str:
    given = task_run.parameters
    batch = f", batches of {given['batch']:g} s" if given["batch"] else ""
    return f"measure {Path(given['checkpoint'].name).name}{batch}"


@task(task_run_name=task_label, cache_policy=NO_CACHE)
def measure_model(checkpoint: Checkpoint, batch: float | None, row: Callable[[Checkpoint, float | None], Any]) -> Any:
    """A row, as a task that fails where the model does."""
    found: ModelFigures = row(checkpoint, batch)
    return found if found.failure is None else Failed(message=found.failure, data=found)
