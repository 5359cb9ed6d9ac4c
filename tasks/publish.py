"""Publish judged rows in every form of output."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.runs.outputs import FILES, TABLES, OutputFields, published_rows
from winnow.runs.shard_files import read_table, store_table
from winnow.runs.storage import write_atomically


def publish(shard: Path, fields: OutputFields) -> list[Path]:
    """Commit a judged shard's file in each folder of the output, even if the file is empty."""
    run, name = ledger.run_of(shard), ledger.name_of(shard)
    key = ledger.key_of("publish", shard.name, fields, sorted(TABLES))
    if (record := ledger.find_record(run, key)) is None:
        rows = published_rows(read_table(shard), fields)
        files = [store_table(run / folder, name, select(rows)) for folder, select in TABLES.items()]
        record = ledger.commit(run, key, files, stage="publish", shard=name)
    return [run / file for file in record["files"]]


@task(task_run_name="publish {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def publish_shard(shard: Path, fields: OutputFields) -> list[Path]:
    return publish(shard, fields)


@task(task_run_name="publish {name}", cache_policy=NO_CACHE, **RETRY)
def publish_file(name: str, judged: list[Path], fields: OutputFields, run: Path) -> Path:
    """Write a single file of the output from all judged shards."""
    with write_atomically(run / name) as file:
        file.writelines(FILES[name].write(map(read_table, judged), fields))
    return run / name
