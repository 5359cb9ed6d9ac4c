"""Trying utterances again whose audio could not be read, without transcribing any other utterance again.

Records of passes are copied to the folder `retry` of the ledger, with the reasons that are tried again, and those that
have such rows are put aside. A pass whose record is missing then takes every row that it has read before, from the
same request, out of the copies. They are kept until the run is complete, so that a retry that is killed goes on like
any run.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnow.errors import InputError, OutputError
from winnow.runs import ledger
from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.lock import lock_folder
from winnow.runs.records import decode_record
from winnow.runs.run_record import read_run_record
from winnow.runs.shard_files import read_columns, read_table
from winnow.runs.storage import put, read_file
from winnow.schema import QUARANTINE_REASONS, RETRIABLE

REASONS = "reasons.json"
"""The file beside the copied records with the reasons that are tried again."""

PASS = "transcribe-"
"""What the names of the stages begin with in which a model transcribes."""


def parse_reasons(texts: Iterable[str]) -> list[str]:
    """Return the reasons that texts name, separated by commas; raises InputError for what cannot be tried again."""
    reasons = sorted({part.strip().upper() for text in texts for part in text.split(",") if part.strip()})
    for reason in reasons:
        if reason not in RETRIABLE:
            known = "trying again cannot change it" if reason in QUARANTINE_REASONS else "no such reason"
            raise InputError(f"--retry {reason}: {known}: expected some of {', '.join(sorted(RETRIABLE))}")
    return reasons


def retry_later(run: Path, reasons: list[str]) -> int:
    """Make the run try the utterances with these reasons again; return how many there are.

    Raises OutputError for a run that reuses the hypotheses of another one, and OutputInUse.
    """
    if derived := read_run_record(run).derived:
        raise OutputError(f"{run}: reads no audio of its own: retry in {derived.run}, then {derived.flow} that again")
    with lock_folder(run, {}):
        records = [path for path in ledger.record_files(run) if is_pass(path)]
        found = {path: find_lines(run, path, reasons) for path in records}
        if not any(found.values()):
            return 0
        every = sorted({*reasons, *retried_reasons(run)})
        put(folder_of(run) / REASONS, encode_object({"reasons": every, "retry": uuid.uuid4().hex}))
        for path in records:
            put(folder_of(run) / path.name, read_file(path))
        for path in (path for path, lines in found.items() if lines):
            ledger.invalidate(path)
    return len(set().union(*found.values()))


def is_pass(path: Path) -> bool:
    record = decode_record(path.stem, read_file(path))
    return record is not None and str(record.get("stage")).startswith(PASS)


def find_lines(run: Path, path: Path, reasons: list[str]) -> set[int]:
    """Return the lines in the manifest of the rows that have one of the reasons after a pass."""
    record = decode_record(path.stem, read_file(path))
    tables = [read_columns(run / name, {"id", "reason"}) for name in (record["files"] if record else ())]
    return {line for table in tables for line in table.filter(has_reason(table, reasons))["id"].to_pylist()}


def has_reason(rows: pa.Table, reasons: list[str]) -> pa.ChunkedArray:
    return pc.is_in(rows["reason"], pa.array(reasons, pa.string()))


def folder_of(run: Path) -> Path:
    return run / ledger.LEDGER / ledger.RETRY


def retried_reasons(run: Path) -> list[str]:
    """Return the reasons that a retry which is not complete tries again; none if there is no such retry."""
    return [str(reason) for reason in read_reasons(run).get("reasons", ())]


def read_reasons(run: Path) -> dict[str, Any]:
    """Return the reasons of a retry, with a name of its own; nothing if there is none."""
    try:
        return decode_object(read_file(folder_of(run) / REASONS))
    except FileNotFoundError:
        return {}


def earlier_rows(run: Path, stage: str, shards: list[str], settings: str) -> pa.Table | None:
    """Return what a pass wrote before a retry about rows of some shards that are not tried again.

    None unless there is a retry. A pass with other `settings`, a hash of all that changes its hypotheses, does not
    count.
    """
    if not (reasons := retried_reasons(run)):
        return None
    tables = [
        table.filter(pc.invert(has_reason(table, reasons)))
        for file in earlier_files(run, stage, shards, settings)
        for table in [read_table(file)]
    ]
    return pa.concat_tables(tables, promote_options="default") if tables else None


def earlier_files(run: Path, stage: str, shards: list[str], settings: str) -> Iterator[Path]:
    """Yield the files of some shards in the copied records of a stage that are still what their records say."""
    for record in copied_records(folder_of(run), str(read_reasons(run).get("retry"))):
        if record["stage"] == stage and record["facts"].get("settings") == settings:
            files = [run / name for name in record["files"] if ledger.name_of(run / name) in shards]
            if files and ledger.files_match(run, record):
                yield from files


@lru_cache(maxsize=1)
def copied_records(folder: Path, retry: str) -> list[dict[str, Any]]:
    """Return the records that a retry of this name copied, in the order of their keys."""
    paths = (path for path in sorted(folder.glob("[!.]*.json")) if path.name != REASONS)
    return [record for path in paths if (record := decode_record(path.stem, read_file(path)))]


def forget_retry(run: Path) -> None:
    """Remove the copies, once the run is complete."""
    folder = folder_of(run)
    for path in sorted(folder.glob("*.json"), key=lambda path: path.name != REASONS):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
