"""A file for each shard with how often its references are in the run, before its rows are judged."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.rules.repeats import hashed, repeats
from tasks.rules.rule import Rules
from tasks.runs import ledger
from tasks.runs.retry import RETRY
from tasks.runs.storage import read_table
from tasks.texts.text import Normalizer, version_of


def count_files(shards: list[Path], normalizer: Normalizer) -> list[Path]:
    """A file of repeats for each shard, in their order."""
    run = ledger.run_of(shards[0])
    key = ledger.key_of("repeats", [shard.name for shard in shards], normalizer, version_of(normalizer))
    if (done := ledger.recorded(run, key)) is None:
        hashes = (hashed(read_table(shard, columns=["text", "reason"]), normalizer) for shard in shards)
        tables = zip(shards, repeats(hashes), strict=True)
        folder = run / ledger.STAGES / "repeats"
        files = [ledger.store(folder, ledger.name_of(shard), rows) for shard, rows in tables]
        done = ledger.record(run, key, files, stage="repeats", shard="all")
    return ledger.files_of(shards, done)


def repeats_for(rules: Rules, shards: list[Path], normalizer: Normalizer) -> dict[str, Path]:
    """The file of repeats of each shard as it was read, by its number; none if no rule asks."""
    files = count_texts(shards, normalizer) if rules.over_the_run else []
    return {ledger.name_of(file): file for file in files}


@task(task_run_name="count texts that are there again", cache_policy=NO_CACHE, **RETRY)
def count_texts(shards: list[Path], normalizer: Normalizer) -> list[Path]:
    return count_files(shards, normalizer)
