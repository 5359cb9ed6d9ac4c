"""Listen: add what measures find in the audio of a shard."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.audio.identity import is_same_audio
from winnow.listening.registry import columns_of
from winnow.models.listening import measure_shard, read_heard
from winnow.models.measuring import Measuring
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.shard_files import read_table
from winnow.schema import AUDIO_IDENTITY, HEARD, after_listen, append_columns, replace_column


def listen(shard: pa.Table, heard: dict[str, pa.Table]) -> pa.Table:
    """Add the columns of each measure, given what it found; null in quarantined rows.

    Rows whose audio was missing, broken or another one when it was measured are quarantined.
    """
    rows = shard.select(["reason", "detail", AUDIO_IDENTITY]).to_pydict()
    for table in heard.values():
        found = zip(rows[AUDIO_IDENTITY], *(table[name].to_pylist() for name in HEARD.names), strict=True)
        for i, (before, now, reason, detail) in enumerate(found):
            if before and now and not is_same_audio(before, now):
                reason, detail = "AUDIO_CHANGED", "a measure heard other samples"
            if rows["reason"][i] is None and reason is not None:
                rows["reason"][i], rows["detail"][i] = reason, detail
    for name in ("reason", "detail"):
        shard = replace_column(shard, name, rows[name])
    usable = pc.is_null(shard["reason"])
    columns = {
        name: pc.if_else(usable, table[name], None)
        for table in heard.values()
        for name in table.schema.names
        if name not in HEARD.names
    }
    return append_columns(shard, after_listen(shard.schema, columns_of(heard)), columns)


@task(task_run_name="listen {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def listen_shard(shard: Path, measuring: Measuring) -> Path:
    files = measure_shard(shard, read_table(shard), measuring)

    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return listen(rows, {name: read_heard(parts) for name, parts in files.items()})

    heard = [str(Path(*file.parts[-2:])) for parts in files.values() for file in parts]
    return run_stage_on_shard(shard, "listen", stage, heard=heard)
