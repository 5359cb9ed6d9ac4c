"""Keep the best of several texts for the same audio, after all rows are judged."""

from pathlib import Path

import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.rules.same_audio import COLUMNS, choose_best, quarantine_others
from winnow.runs import ledger
from winnow.runs.shard_files import read_columns, read_table, store_table


def deduplicate(judged: list[Path]) -> list[Path]:
    """Return the judged shards, in which only the best row of each audio may be kept.

    Shards in which every audio has one text stay as they are.
    """
    run = ledger.run_of(judged[0])
    key = ledger.key_of("deduplicate", [shard.name for shard in judged])
    if (record := ledger.find_record(run, key)) is None:
        repeated = [
            shard for shard in judged if pc.any(read_columns(shard, ["same_audio"])["same_audio"].is_valid()).as_py()
        ]
        files = []
        if repeated:
            best = choose_best(read_columns(shard, COLUMNS) for shard in repeated)
            folder = run / ledger.STAGES / "deduplicate"
            for shard in repeated:
                rows = quarantine_others(read_table(shard), best)
                files.append(store_table(folder, ledger.name_of(shard), rows))
        record = ledger.commit(run, key, files, stage="deduplicate", shard="all")
    changed = {ledger.name_of(run / name): run / name for name in record["files"]}
    return [changed.get(ledger.name_of(shard), shard) for shard in judged]


@task(task_run_name="deduplicate", cache_policy=NO_CACHE, **RETRY)
def deduplicate_run(judged: list[Path]) -> list[Path]:
    return deduplicate(judged)
