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

from tasks.retry import RETRY
from winnow.corpora.field_types import infer_types, merge_types
from winnow.corpora.nemo_jsonl.line_reader import MAX_LINE, is_blank, read_lines
from winnow.corpora.nemo_jsonl.parse_line import Row, parse_line
from winnow.corpora.nemo_jsonl.sharding import CHANGED_DURING_RUN
from winnow.errors import ManifestError
from winnow.runs import ledger
from winnow.schema import UTTERANCE


def load(slice_: pa.Table, limit: int = MAX_LINE, referenced: bool = True) -> tuple[pa.Table, ledger.Facts]:
    """The rows of a shard, and of what kind their other fields are; raises if the manifest is not what it was."""
    (here,) = slice_.to_pylist()
    earlier = dict(zip(here["duplicate_line"], here["first_line"], strict=True))
    rows: list[Row] = []
    for number, line in enumerate(lines_in(here, limit), here["first"]):
        if line is None or not is_blank(line):
            row: Row = {"id": number} | parse_line(line, here["folder"], referenced)
            if number in earlier:
                row |= {"reason": "DUPLICATE_UTT", "detail": f"as line {earlier[number]}"}
            rows.append(row)
    kinds = infer_types(msgspec.json.decode(row.get("fields", "{}")) for row in rows)
    return pa.Table.from_pylist(rows, UTTERANCE), {"kinds": list(kinds.items())}


def lines_in(here: Row, limit: int) -> Iterator[bytes | None]:
    """The lines of a slice; raises behind the last one if these are not the bytes that they were."""
    found = xxhash.xxh3_128()
    with open_manifest(Path(here["manifest"])) as file:
        file.seek(here["start"])

        def readline(most: int) -> bytes:
            piece = file.readline(most)
            found.update(piece)
            return piece

        yield from islice(read_lines(readline, limit), here["lines"])
    if found.hexdigest() != here["xxh3"]:
        raise ManifestError(CHANGED_DURING_RUN.format(here["manifest"]))


def fields(shards: list[Path]) -> dict[str, str]:
    """The kind of each field of the manifest that is not ours, over all its shards, in the order of the manifest."""
    records = ledger.records_by_file(ledger.run_of(shards[0]))
    found = merge_types(dict(records[shard]["facts"]["kinds"]) for shard in shards)
    return {name: kind or "string" for name, kind in found.items()}


def open_manifest(manifest: Path) -> IO[bytes]:
    try:
        return manifest.open("rb")
    except FileNotFoundError as error:
        raise ManifestError(f"{manifest}: no manifest that can be read ({error.strerror})") from error


@task(task_run_name="load {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def load_shard(shard: Path, referenced: bool = True) -> Path:
    return ledger.run_stage_on_shard(shard, "load", load, referenced=referenced)


@task(task_run_name="fields of the manifest", cache_policy=NO_CACHE, **RETRY)
def gather_fields(shards: list[Path]) -> dict[str, str]:
    return fields(shards)
