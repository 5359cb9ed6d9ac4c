"""Push an exported dataset to the Hugging Face hub."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.export.push import push


@task(task_run_name="push", cache_policy=NO_CACHE, **RETRY)
def push_dataset(output: Path, repository: str) -> str:
    return push(output, repository)
