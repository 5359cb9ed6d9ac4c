"""What is done. A file counts once a record names it, and a record is written once.

A stage's output goes to `<run>/<stage>/<shard>-<sha256>.parquet`: a temporary file beside it, fsync, rename. Then the
record `<run>/_ledger/<key>.json` is linked into place, which fails if another attempt was first; that one's is used
then. The key is the hash of what was read and of the settings that change what is written, so that a retry, a resume
and a second run of the same command are one and the same thing.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from tasks.config import Curation, Engine

LAYOUT = 1
"""Raised when stages write something else for the same input, so that old records are not taken for new ones."""

Record = dict[str, Any]
Facts = dict[str, Any]


class BadOutput(Exception):
    """The output cannot be a run's folder."""

    exit_code = 2


class OtherRun(Exception):
    """The output folder belongs to a run with other parameters."""

    exit_code = 8


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under `path` whole and durable when the block ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".tmp-{uuid.uuid4().hex}")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _fsync_folder(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_once(path: Path, text: str) -> bool:
    """Whether this was the first to write the file; another's is left as it is."""
    draft = write_text(path.with_name(f".tmp-{uuid.uuid4().hex}"), text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _fsync_folder(path.parent)
    return True


def write_text(path: Path, text: str) -> Path:
    with replacing(path) as file:
        file.write(text.encode())
    return path


def store(folder: Path, name: str, table: pa.Table) -> Path:
    """The table as `<folder>/<name>-<sha256, 16 digits>.parquet`."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3)
    content = sink.getvalue()
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    with replacing(path) as file:
        file.write(content)
    return path


def name_of(shard: Path) -> str:
    """The shard's number, which its files have in every stage."""
    return shard.stem.partition("-")[0]


def key_of(*parts: object) -> str:
    """The key of a piece of work: the hash of everything that changes its result."""
    return hashlib.sha256(json.dumps([LAYOUT, *parts], sort_keys=True, default=_plain).encode()).hexdigest()[:32]


def recorded(run: Path, key: str) -> Record | None:
    """The record of the key, or nothing if it was never committed or a file that it names is gone."""
    try:
        record: Record = json.loads((run / "_ledger" / f"{key}.json").read_bytes())
    except FileNotFoundError:
        return None
    return record if all((run / file).exists() for file in record["files"]) else None


def record(run: Path, key: str, files: list[Path], **facts: object) -> Record:
    """Commit the files under the key; what comes back is the first attempt's record."""
    path = run / "_ledger" / f"{key}.json"
    body = {"files": [str(file.relative_to(run)) for file in files], **facts}
    text = json.dumps(body, sort_keys=True)
    if not write_once(path, text):
        if (first := recorded(run, key)) is not None:
            return first
        write_text(path, text)  # a file of the first attempt is gone: its record counts no more
    return body


def work(
    shard: Path,
    to: str,
    stage: Callable[..., pa.Table | tuple[pa.Table, Facts]],
    **settings: object,
) -> Record:
    """Apply a stage to a shard, once: the record of the result, made now (`fresh`) or found in the ledger.

    The settings are given to the stage by name, and they are all that its result depends on beside the shard.
    What a stage returns beside a table goes into the record.
    """
    run, name = shard.parent.parent, name_of(shard)
    key = key_of(to, shard.name, settings)
    if (done := recorded(run, key)) is not None:
        return done | {"fresh": False}
    began = time.perf_counter()
    try:
        result = stage(pq.read_table(shard), **settings)
    except Exception as error:
        error.add_note(f"in {to}, shard {name} of {run}")
        raise
    table, facts = result if isinstance(result, tuple) else (result, {})
    file = store(run / to, name, table)
    facts = {"wall_seconds": time.perf_counter() - began} | facts
    return record(run, key, [file], stage=to, shard=name, rows=table.num_rows, facts=facts) | {"fresh": True}


def advance(shard: Path, to: str, stage: Callable[..., pa.Table], **settings: object) -> Path:
    """Apply a stage to a shard, once: the path of the result (see `work`)."""
    return only_file(shard, work(shard, to, stage, **settings))


def only_file(shard: Path, done: Record) -> Path:
    return shard.parent.parent / str(done["files"][0])


def records(run: Path) -> dict[Path, Record]:
    """Every committed file of the run with its record."""
    found = (json.loads(path.read_bytes()) for path in (run / "_ledger").glob("[!.]*.json"))
    return {run / name: record for record in found for name in record["files"]}


def open_run(settings: Curation, inputs: dict[str, str | None]) -> Path:
    """The run's folder, with what was asked of it in `run.json`; refuses the folder of a run that was asked otherwise.

    `inputs` are the sha256 of what is read. Where a checkpoint lies, where it runs and in what batches changes nothing.
    """
    run = settings.output.absolute()
    elsewhere: Any = {"output": True, "small": True, "large": True, "devices": True, "engine": Engine.MANNER}
    parameters = settings.model_dump(mode="json", exclude=elsewhere) | {"manifest": str(settings.manifest.absolute())}
    asked: Record = {"parameters": parameters, "sha256": inputs}
    path = run / "run.json"
    if not path.exists():
        make_folder(run)
    text = json.dumps(asked, indent=2, sort_keys=True) + "\n"
    if not any((run / "_ledger").glob("[!.]*.json")):
        write_text(path, text)  # nothing was done yet: a run that failed at its start binds nobody
    elif not write_once(path, text):
        before, now = _flat(json.loads(path.read_text())), _flat(asked)
        other = [name for name in sorted(before | now) if before.get(name) != now.get(name)]
        if other:
            changes = "; ".join(f"{name} was {before.get(name)}, now {now.get(name)}" for name in other)
            raise OtherRun(f"{run} holds another run ({changes}): choose another output, or remove this one")
    return run


def make_folder(run: Path) -> None:
    """Make the run's folder; one with anything else in it is refused, since files of its own may be overwritten."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        full = any(run.iterdir())
    except OSError as error:
        raise BadOutput(f"{run}: cannot be made the output ({error.strerror})") from error
    if full:
        raise BadOutput(f"{run}: not a run's folder, and not empty: choose another output")


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, item in value.items() for k, v in _flat(item, f"{name}.{key}".lstrip(".")).items()}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{value!r} cannot be part of a key")


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
