"""Pack a planned shard of an export: its audio and its texts in the form that was asked for."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.export.pack import PackedShard, Packing, pack


@task(task_run_name="pack {planned.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def pack_shard(planned: Path, packing: Packing) -> PackedShard:
    return pack(planned, packing)
