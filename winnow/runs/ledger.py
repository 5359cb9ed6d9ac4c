"""What is done. A file counts once a record names it, and a record is written once.

A stage's output goes to `<run>/_stages/<stage>/<shard>-<sha256>.parquet`. Then the record `<run>/_ledger/<key>.json`
is put into place, which fails if another attempt was first; that one's is used then. The key is the hash of what was
read and of the settings that change what is written, so that a retry, a resume, a second run of the same command and
two attempts at once are one and the same thing. No clock and no time of a file decides anything.
"""

import hashlib
import json
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from winnow.digests import sha256_of
from winnow.runs.storage import put, put_if_absent, read_table

LAYOUT_VERSION = 5
"""Raised when stages write something else for the same input, so that old records are not taken for new ones."""

STAGES = "_stages"

Record = dict[str, Any]
Facts = dict[str, Any]


def store_table(folder: Path, name: str, rows: pa.Table) -> Path:
    """The table as `<folder>/<name>-<sha256, 16 digits>.parquet`."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", compression_level=3)
    content = sink.getvalue().to_pybytes()
    return put(folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.parquet", content)


def name_of(shard: Path) -> str:
    """The shard's number, which its files have in every stage."""
    return shard.stem.partition("-")[0]


def run_of(shard: Path) -> Path:
    """The run that a stage's file belongs to."""
    return shard.parent.parent.parent


def key_of(*parts: object) -> str:
    """The key of a piece of work: the hash of everything that changes its result."""
    return hashlib.sha256(json.dumps([LAYOUT_VERSION, *parts], sort_keys=True, default=_jsonable).encode()).hexdigest()[
        :32
    ]


def find_record(run: Path, key: str) -> Record | None:
    """The record of the key, or nothing if it was never committed.

    One whose files are gone or altered counts no more: it is put aside, and the work is to be done again.
    """
    path = run / "_ledger" / f"{key}.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    record = verified_record(run, content)
    if record is None:
        invalidate(path, content)
    return record


def invalidate(path: Path, content: bytes) -> None:
    """Keep a record that counts no more where nobody takes it for one."""
    put(path.parent / "aside" / f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}.json", content)
    path.unlink(missing_ok=True)


def verified_record(run: Path, content: bytes) -> Record | None:
    """The record, if it is one and every file that it names is what it was."""
    try:
        record: Record = json.loads(content)
        files = record["files"].items()
        return record if all(sha256_if_present(run / name) == sha256 for name, sha256 in files) else None
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def sha256_if_present(path: Path) -> str | None:
    """Return the sha256 of a file; None if there is no such file."""
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return None


def commit(run: Path, key: str, files: list[Path], **facts: object) -> Record:
    """Commit the files under the key; what comes back is the first attempt's record."""
    body = {"files": {str(file.relative_to(run)): sha256_if_present(file) for file in files}, **facts}
    while not put_if_absent(run / "_ledger" / f"{key}.json", json.dumps(body, sort_keys=True).encode()):
        if (first := find_record(run, key)) is not None:
            return first
    return body


def run_stage(
    shards: list[Path],
    to: str,
    stage: Callable[..., pa.Table | tuple[pa.Table, Facts]],
    **settings: object,
) -> Record:
    """Apply a stage to shards as if they were one, once: the record, made now (`fresh`) or found in the ledger.

    The settings are given to the stage by name, and they are all that its result depends on beside the shards.
    What a stage returns beside a table goes into the record. Each shard gets a file of its own, with as many rows.
    """
    run, names = run_of(shards[0]), [name_of(shard) for shard in shards]
    key = key_of(to, [shard.name for shard in shards], settings)
    if (done := find_record(run, key)) is not None:
        return done | {"fresh": False}
    began = time.perf_counter()
    label = names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
    tables = [read_table(shard) for shard in shards]
    try:
        result = stage(pa.concat_tables(tables), **settings)
    except Exception as error:
        error.add_note(f"in {to}, shard {label} of {run}")
        raise
    rows, facts = result if isinstance(result, tuple) else (result, {})
    parts = [rows] if len(tables) == 1 else split_rows(rows, [len(table) for table in tables])
    files = [store_table(run / STAGES / to, name, part) for name, part in zip(names, parts, strict=True)]
    facts = {"wall_seconds": time.perf_counter() - began} | facts
    return commit(run, key, files, stage=to, shard=label, rows=rows.num_rows, facts=facts) | {"fresh": True}


def split_rows(rows: pa.Table, lengths: list[int]) -> list[pa.Table]:
    """The rows in parts of these lengths."""
    assert sum(lengths) == len(rows), "a stage of several shards keeps their rows"
    starts = accumulate(lengths, initial=0)
    return [rows.slice(start, length) for start, length in zip(starts, lengths, strict=False)]


def run_stage_on_shard(shard: Path, to: str, stage: Callable[..., pa.Table], **settings: object) -> Path:
    """Apply a stage to a shard, once: the path of the result (see `work`)."""
    return files_of([shard], run_stage([shard], to, stage, **settings))[0]


def files_of(shards: list[Path], done: Record) -> list[Path]:
    """The files of a record, in the order of the shards that it is of."""
    run = run_of(shards[0])
    found = {name_of(run / name): run / name for name in done["files"]}
    return [found[name_of(shard)] for shard in shards]


def read_records(run: Path) -> dict[str, Record]:
    """Every committed record of the run, by its key."""
    return {path.stem: json.loads(path.read_bytes()) for path in sorted((run / "_ledger").glob("[!.]*.json"))}


def files_by_stage(run: Path) -> dict[str, list[Path]]:
    """The files of each stage in the order of their shards."""
    found: dict[str, list[str]] = {}
    for record in read_records(run).values():
        found.setdefault(record["stage"], []).extend(record["files"])
    return {stage: [run / name for name in sorted(names)] for stage, names in found.items()}


def records_by_file(run: Path) -> dict[Path, Record]:
    """Every committed file of the run with its record."""
    return {run / name: record for record in read_records(run).values() for name in record["files"]}


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{value!r} cannot be part of a key")
