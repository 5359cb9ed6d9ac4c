"""The rows of a shard, every line of its slice of the manifest accounted for."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa
import xxhash
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.manifests.kinds import kinds_of, merged
from tasks.manifests.lines import Row, row_of
from tasks.manifests.linewise import MAX_LINE, is_blank, lines_of
from tasks.manifests.slices import CHANGED, BadManifest
from tasks.runs import ledger
from tasks.runs.retry import RETRY
from tasks.schema import UTTERANCE


def read(slice_: pa.Table, limit: int = MAX_LINE, referenced: bool = True) -> tuple[pa.Table, ledger.Facts]:
    """The rows of a shard, and of what kind their other fields are; raises if the manifest is not what it was."""
    (here,) = slice_.to_pylist()
    earlier = dict(zip(here["twins"], here["earlier"], strict=True))
    rows: list[Row] = []
    for number, line in enumerate(lines_in(here, limit), here["first"]):
        if line is None or not is_blank(line):
            row: Row = {"id": number} | row_of(line, here["folder"], referenced)
            if number in earlier:
                row |= {"reason": "DUPLICATE_UTT", "detail": f"as line {earlier[number]}"}
            rows.append(row)
    kinds = kinds_of(msgspec.json.decode(row.get("fields", "{}")) for row in rows)
    return pa.Table.from_pylist(rows, UTTERANCE), {"kinds": list(kinds.items())}


def lines_in(here: Row, limit: int) -> Iterator[bytes | None]:
    """The lines of a slice; raises behind the last one if these are not the bytes that they were."""
    found = xxhash.xxh3_128()
    with opened(Path(here["manifest"])) as file:
        file.seek(here["start"])

        def readline(most: int) -> bytes:
            piece = file.readline(most)
            found.update(piece)
            return piece

        yield from islice(lines_of(readline, limit), here["lines"])
    if found.hexdigest() != here["xxh3"]:
        raise BadManifest(CHANGED.format(here["manifest"]))


def fields(shards: list[Path]) -> dict[str, str]:
    """The kind of each field of the manifest that is not ours, over all its shards, in the order of the manifest."""
    records = ledger.records(ledger.run_of(shards[0]))
    found = merged(dict(records[shard]["facts"]["kinds"]) for shard in shards)
    return {name: kind or "string" for name, kind in found.items()}


def opened(manifest: Path) -> IO[bytes]:
    try:
        return manifest.open("rb")
    except FileNotFoundError as error:
        raise BadManifest(f"{manifest}: no manifest that can be read ({error.strerror})") from error


@task(task_run_name="read {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def read_shard(shard: Path, referenced: bool = True) -> Path:
    return ledger.advance(shard, "shards", read, referenced=referenced)


@task(task_run_name="fields of the manifest", cache_policy=NO_CACHE, **RETRY)
def gather_fields(shards: list[Path]) -> dict[str, str]:
    return fields(shards)
