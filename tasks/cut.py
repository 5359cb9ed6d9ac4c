"""Cut the recordings of a shard at their pauses."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.segmenting.cuts import CutOptions
from winnow.segmenting.cutting import cut_recordings


@task(task_run_name="cut {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def cut_shard(shard: Path, options: CutOptions, root: str | None) -> Path:
    return ledger.run_stage_on_shard(shard, "cut", cut_recordings, options=options, root=root)
