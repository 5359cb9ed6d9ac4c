"""Load the rows of a shard from its input."""

from pathlib import Path

import msgspec
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.corpora.field_types import infer_types, merge_types
from winnow.corpora.registry import open_source
from winnow.runs import ledger
from winnow.schema import UTTERANCE


def load(shard: pa.Table, referenced: bool = True) -> tuple[pa.Table, ledger.Facts]:
    """Return a row for every line of the shard that is not blank, and the types of the fields without a column.

    Raises ManifestError if the input is not the one that was split into shards.
    """
    (part,) = shard.to_pylist()
    source = open_source(part["source"], part["folder"], referenced, part.get("columns") or "")
    rows = list(source.rows(msgspec.json.decode(part["locator"])))
    types = infer_types(msgspec.json.decode(row.get("fields") or "{}") for row in rows)
    return pa.Table.from_pylist(rows, UTTERANCE), {"kinds": list(types.items())}


def fields(shards: list[Path]) -> dict[str, str]:
    """Return the type of each field without a column, over all loaded shards, in the order of the input."""
    records = ledger.records_by_file(ledger.run_of(shards[0]))
    types = merge_types(dict(records[shard]["facts"]["kinds"]) for shard in shards)
    return {name: kind or "string" for name, kind in types.items()}


@task(task_run_name="load {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def load_shard(shard: Path, referenced: bool = True) -> Path:
    return ledger.run_stage_on_shard(shard, "load", load, referenced=referenced)


@task(task_run_name="gather the fields of the input", cache_policy=NO_CACHE, **RETRY)
def gather_fields(shards: list[Path]) -> dict[str, str]:
    return fields(shards)
