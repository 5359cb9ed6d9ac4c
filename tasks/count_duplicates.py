"""Count how often each reference occurs in the run, before its rows are judged."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.runs import ledger
from winnow.runs.references import read_references
from winnow.runs.shard_files import store_table
from winnow.text.normalize import Normalizer, version_of


@task(task_run_name="count-duplicates", cache_policy=NO_CACHE, **RETRY)
def count_duplicates_run(shards: list[Path], normalizer: Normalizer, relabelled: Sequence[Path] = ()) -> list[Path]:
    """Return a file of the table `DUPLICATES` for each loaded shard, in their order.

    `relabelled` are the same shards of a relabelled run, whose texts are counted.
    """
    run = ledger.run_of(shards[0])
    names = [shard.name for shard in (*shards, *relabelled)]
    key = ledger.key_of("count-duplicates", names, normalizer, version_of(normalizer))
    if (record := ledger.find_record(run, key)) is None:
        references = map(read_references, shards, *([relabelled] if relabelled else []))
        hashes = (hash_references(rows, normalizer) for rows in references)
        tables = zip(shards, count_duplicates(hashes), strict=True)
        folder = run / ledger.STAGES / "count-duplicates"
        files = [store_table(folder, ledger.name_of(shard), rows) for shard, rows in tables]
        record = ledger.commit(run, key, files, stage="count-duplicates", shard="all")
    return ledger.files_of(shards, record)
