"""Download a model ahead of a run, which can then open it with or without a network."""

from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Failed

from winnow.models.download import DownloadedModel, ProgressCallback, download
from winnow.printable import one_line


def task_label() -> str:
    return one_line(f"download {task_run.parameters['name']}")


@task(task_run_name=task_label, cache_policy=NO_CACHE)
def download_model(
    name: str, trust_unpinned: bool, report: ProgressCallback, finish: Callable[[DownloadedModel], None]
) -> Any:
    """Download the model and pass the outcome to `finish`; a failed download is a failed task."""
    model = download(name, trust_unpinned, report)
    finish(model)
    return model if model.cause is None else Failed(message=model.cause, data=model)
