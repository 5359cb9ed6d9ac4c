"""A model at hand: fetched, copied and examined, so that a run can open it at once, with or without a network."""

from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed

from winnow.models.download import DownloadedModel, ProgressCallback, download


@task(task_run_name="download {name}", cache_policy=NO_CACHE)
def download_model(
    name: str, trust_unpinned: bool, tell: ProgressCallback, done: Callable[[DownloadedModel], None]
) -> Any:
    """The same, as a task that fails where the model does."""
    row = download(name, trust_unpinned, tell)
    done(row)
    return row if row.cause is None else Failed(message=row.cause, data=row)
