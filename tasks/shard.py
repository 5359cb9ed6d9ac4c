"""Split the input into shards of similar length."""

from dataclasses import asdict
from pathlib import Path

import msgspec
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from tasks.retry import RETRY
from winnow.corpora.registry import open_source
from winnow.corpora.source import Shard, Source, check_unchanged, check_utterances
from winnow.printable import one_line
from winnow.runs import ledger
from winnow.runs.shard_files import store_table
from winnow.schema import SHARD, ShardedManifest


def shard(source: Source, run: Path, hours: float, digest: str | None = None) -> ShardedManifest:
    """Find where shards of about `hours` of audio begin in the input, once per run.

    `digest` is what the input had when the run began. Raises ManifestError if the input has no utterance, if its audio
    is not mounted, or if it has changed since.
    """
    digest = digest or source.digest()
    key = ledger.key_of("shard", digest, source.location, source.folder, hours, source.referenced)
    if (record := ledger.find_record(run, key)) is None:
        check_utterances(source)
        parts = list(source.shards(hours))
        check_unchanged(source, digest)
        tables = [shard_table(source, part) for part in parts if part.lines > part.blank]
        folder = run / ledger.STAGES / "shard"
        files = [store_table(folder, f"{number:05}", table) for number, table in enumerate(tables)]
        counts = {"lines": sum(part.lines for part in parts), "blank": sum(part.blank for part in parts)}
        seconds = [table["seconds"][0].as_py() for table in tables]
        record = ledger.commit(run, key, files, stage="shard", seconds=seconds, **counts)
    files = [run / name for name in record["files"]]
    return ShardedManifest(files, record["seconds"], record["lines"], record["blank"])


def shard_table(source: Source, part: Shard) -> pa.Table:
    """Return a shard as a table of the schema SHARD."""
    row = {"source": source.location, "folder": source.folder, "columns": source.columns} | asdict(part)
    row["locator"] = msgspec.json.encode(part.locator).decode()
    return pa.Table.from_pylist([row], SHARD)


def task_label() -> str:
    return one_line(f"shard {Path(task_run.parameters['manifest']).name}")


@task(task_run_name=task_label, cache_policy=NO_CACHE, **RETRY)
def shard_manifest(
    manifest: str,
    run: Path,
    shard_hours: float,
    digest: str,
    folder: str | None = None,
    referenced: bool = True,
    columns: str = "",
) -> ShardedManifest:
    return shard(open_source(manifest, folder, referenced, columns), run, shard_hours, digest)
