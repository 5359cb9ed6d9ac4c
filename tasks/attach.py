"""Attach to the recordings of a shard what files beside them say: their text, and who speaks."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.runs.shard_files import read_table
from winnow.segmenting.recordings import attach_files, digests_of_files


@task(task_run_name="attach {loaded.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def attach_shard(loaded: Path, shard: Path, root: str | None, by_speaker: bool) -> Path:
    """Attach the files that rows name, where relative paths start in the folder of the shard's input."""
    folder = read_table(shard, columns=["folder"])["folder"][0].as_py()

    def stage(rows: pa.Table, files: Any, **settings: Any) -> tuple[pa.Table, ledger.Facts]:
        return attach_files(rows, **settings), {"read": files}

    files = digests_of_files(read_table(loaded), folder, root)
    settings = {"folder": folder, "root": root, "by_speaker": by_speaker}
    return ledger.run_stage_on_shard(loaded, "attach", stage, files=files, **settings)
