"""Finish an export: what needs all shards, and the counts."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.export.divide import Division
from winnow.export.finish import finish
from winnow.export.pack import PackedShard, Packing
from winnow.export.record import ExportReport


@task(task_run_name="finish", cache_policy=NO_CACHE, **RETRY)
def finish_export(output: Path, division: Division, packed: list[PackedShard], packing: Packing) -> ExportReport:
    return finish(output, division, packed, packing)
