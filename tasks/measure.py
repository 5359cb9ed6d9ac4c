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


def task_label() -> str:
    given = task_run.parameters
    batch = f", batches of {given['batch']:g} s" if given["batch"] else ""
    return f"measure {Path(given['checkpoint'].name).name}{batch}"


@task(task_run_name=task_label, cache_policy=NO_CACHE)
def measure_model(checkpoint: Checkpoint, batch: float | None, row: Callable[[Checkpoint, float | None], Any]) -> Any:
    """A row, as a task that fails where the model does."""
    found: ModelFigures = row(checkpoint, batch)
    return found if found.failure is None else Failed(message=found.failure, data=found)
