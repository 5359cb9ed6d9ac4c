"""Measuring a model on a sample of a manifest."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Failed

from winnow.benchmarking.figures import ModelFigures
from winnow.engines.engine import Checkpoint
from winnow.printable import one_line

Measure = Callable[[Checkpoint, float | None], ModelFigures]


def task_label() -> str:
    """Return the task run's name: the model, and the batch size if one was requested."""
    parameters = task_run.parameters
    batch = f", batches of {parameters['batch']:g} s" if parameters["batch"] else ""
    return one_line(f"measure {Path(parameters['checkpoint'].name).name}{batch}")


@task(task_run_name=task_label, cache_policy=NO_CACHE)
def measure_model(checkpoint: Checkpoint, batch: float | None, measure: Measure) -> Any:
    """Measure a model; the task fails if the model does, and keeps the figures as the state's data."""
    figures = measure(checkpoint, batch)
    return figures if figures.failure is None else Failed(message=figures.failure, data=figures)
