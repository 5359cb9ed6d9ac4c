"""The ledger: which work of a run is done. A file counts once a record names it, and a record is written once.

A stage writes its output to `<run>/_stages/<stage>/<shard>-<sha256>.parquet`. Then it creates the record
`<run>/_ledger/<key>.json`, which fails if another attempt was first; the first attempt's output is used in that case.
The key is a hash of the stage's input and of the settings that change its output. A retry, a resume, a second run of
the same command and two attempts at once are therefore handled the same way. No clock and no file time matters.
"""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from winnow.digests import sha256_of
from winnow.runs.records import Record, encode_record, read_record
from winnow.runs.shard_files import read_table, store_table
from winnow.runs.storage import is_local, put, put_if_absent, sha256_if_exists

LAYOUT_VERSION = 6
"""Part of every key; raised when a stage writes something else for the same input, so that old records do not count."""

STAGES = "_stages"

LEDGER = "_ledger"

ANSWERS = "_answers"
"""The folder with what endpoints have answered, so that a resumed run does not ask again; not checked."""

ASIDE = "aside"
"""The folder in the ledger with records that do not count any more."""

RETRY = "retry"
"""The folder in the ledger with copies of records, while a run tries some utterances again; see `winnow.runs.retry`."""

KEY = re.compile("[0-9a-f]{32}")

Facts = dict[str, Any]
"""What a stage measured beside its table, such as the seconds it took."""


def name_of(shard: Path) -> str:
    """Return the shard's number, such as 00042: the first part of its file's name in every stage."""
    return shard.stem.partition("-")[0]


def run_of(shard: Path) -> Path:
    """Return the folder of the run that a stage's file belongs to."""
    return shard.parent.parent.parent


def key_of(*parts: object) -> str:
    """Return the key of some work: a hash of everything that changes its result, 32 hex digits."""
    content = json.dumps([LAYOUT_VERSION, *parts], sort_keys=True, default=_jsonable).encode()
    return hashlib.sha256(content).hexdigest()[:32]


def find_record(run: Path, key: str) -> Record | None:
    """Return the record of a key, or None if the work has to be done.

    A record that is not intact, or whose files are missing or altered, is invalidated.
    """
    path = record_path(run, key)
    record = read_record(path)
    if record is not None and files_match(run, record):
        return record
    invalidate(path)
    return None


def record_path(run: Path, key: str) -> Path:
    return run / LEDGER / f"{key}.json"


def files_match(run: Path, record: Record) -> bool:
    """Tell whether all files of a record have the sha256 that it names."""
    return all(sha256 and sha256_if_exists(run / name) == sha256 for name, sha256 in record["files"].items())


def invalidate(path: Path) -> None:
    """Move a record to the folder `aside`, where it does not count, even if it is a folder or cannot be read."""
    target = path.parent / ASIDE / f"{path.stem}-{uuid.uuid4().hex[:8]}.json"
    with suppress(FileNotFoundError):  # there is none, or another attempt was faster
        if is_local(path):
            path.lstat()
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        else:
            put(target, path.read_bytes())
            path.unlink()


def commit(run: Path, key: str, files: list[Path], **facts: object) -> Record:
    """Record the files under the key. Return this record, or that of another attempt if it was first."""
    record = {"files": {str(file.relative_to(run)): sha256_of(file) for file in files}, **facts}
    while not put_if_absent(record_path(run, key), encode_record(key, record)):
        if (first := find_record(run, key)) is not None:
            return first
    return record


def run_stage(
    shards: list[Path],
    to: str,
    stage: Callable[..., pa.Table | tuple[pa.Table, Facts]],
    **settings: object,
) -> Record:
    """Apply a stage to the rows of all shards, unless the ledger has its record; return the record.

    `to` names the stage. The stage gets the settings as keyword arguments, and its result must not depend on anything
    else but the rows. It returns a table, or a table and facts for the record. The table is split again, into a file
    for each shard. `fresh` in the returned record tells whether the stage was applied now.
    """
    run, names = run_of(shards[0]), [name_of(shard) for shard in shards]
    key = key_of(to, [shard.name for shard in shards], settings)
    if (record := find_record(run, key)) is not None:
        return record | {"fresh": False}
    start = time.perf_counter()
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
    facts = {"wall_seconds": time.perf_counter() - start} | facts
    return commit(run, key, files, stage=to, shard=label, rows=rows.num_rows, facts=facts) | {"fresh": True}


def split_rows(rows: pa.Table, lengths: list[int]) -> list[pa.Table]:
    """Split the rows into parts of these lengths."""
    assert sum(lengths) == len(rows), "a stage of several shards must keep the number of their rows"
    starts = accumulate(lengths, initial=0)
    return [rows.slice(start, length) for start, length in zip(starts, lengths, strict=False)]


def run_stage_on_shard(shard: Path, to: str, stage: Callable[..., pa.Table], **settings: object) -> Path:
    """Apply a stage to one shard as `run_stage` does; return the file that it wrote."""
    return files_of([shard], run_stage([shard], to, stage, **settings))[0]


def files_of(shards: list[Path], record: Record) -> list[Path]:
    """Return the files of a record, in the order of the shards that they were made from."""
    run = run_of(shards[0])
    by_shard = {name_of(run / name): run / name for name in record["files"]}
    return [by_shard[name_of(shard)] for shard in shards]


def record_files(run: Path) -> list[Path]:
    """Return the files of all records, intact or not; records that were put aside do not count."""
    return sorted(path for path in (run / LEDGER).glob("[!.]*.json") if KEY.fullmatch(path.stem))


def read_records(run: Path) -> dict[str, Record]:
    """Read all intact records of the run, by their keys."""
    records = ((path.stem, read_record(path)) for path in record_files(run))
    return {key: record for key, record in records if record is not None}


def files_by_stage(run: Path) -> dict[str, list[Path]]:
    """Return the files of each stage, in the order of their shards."""
    by_stage: dict[str, list[str]] = {}
    for record in read_records(run).values():
        by_stage.setdefault(record["stage"], []).extend(record["files"])
    return {stage: [run / name for name in sorted(names)] for stage, names in by_stage.items()}


def records_by_file(run: Path) -> dict[Path, Record]:
    """Return the record of every committed file of the run."""
    return {run / name: record for record in read_records(run).values() for name in record["files"]}


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a ledger key cannot have a {type(value).__name__} in it: {value!r}")


def join_shards(shards: list[Path], to: str, stage: Callable[..., pa.Table], **settings: object) -> Path:
    """Apply a stage to the tables of several stages' files of one shard as `run_stage` does; return what it wrote."""
    run, name = run_of(shards[0]), name_of(shards[0])
    key = key_of(to, [shard.name for shard in shards], settings)
    if (record := find_record(run, key)) is None:
        start = time.perf_counter()
        table = stage(*map(read_table, shards), **settings)
        file = store_table(run / STAGES / to, name, table)
        facts = {"wall_seconds": time.perf_counter() - start}
        record = commit(run, key, [file], stage=to, shard=name, rows=table.num_rows, facts=facts)
    return files_of(shards[:1], record)[0]
