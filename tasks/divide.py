"""Divide the kept rows of a run into the parts and shards of an export."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.export.divide import Division, divide
from winnow.export.pack import Packing


@task(task_run_name="divide", cache_policy=NO_CACHE, **RETRY)
def divide_run(output: Path, packing: Packing) -> Division:
    return divide(output, packing.settings, packing.digest)
