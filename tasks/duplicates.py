"""Count how often each reference occurs in the run, before its rows are judged."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.rules.duplicates import REFERENCE_COLUMNS, count_duplicates, hash_references
from winnow.runs import ledger
from winnow.runs.shard_files import read_table, store_table
from winnow.text.normalize import Normalizer, version_of


@task(task_run_name="count duplicates", cache_policy=NO_CACHE, **RETRY)
def duplicates_run(shards: list[Path], normalizer: Normalizer) -> list[Path]:
    """Return a file of the table `DUPLICATES` for each loaded shard, in their order."""
    run = ledger.run_of(shards[0])
    key = ledger.key_of("duplicates", [shard.name for shard in shards], normalizer, version_of(normalizer))
    if (record := ledger.find_record(run, key)) is None:
        hashes = (hash_references(read_table(shard, columns=REFERENCE_COLUMNS), normalizer) for shard in shards)
        tables = zip(shards, count_duplicates(hashes), strict=True)
        folder = run / ledger.STAGES / "duplicates"
        files = [store_table(folder, ledger.name_of(shard), rows) for shard, rows in tables]
        record = ledger.commit(run, key, files, stage="duplicates", shard="all")
    return ledger.files_of(shards, record)
