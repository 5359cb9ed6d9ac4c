"""`_SUCCESS.json`, written last: the counts of a complete run, and the sha256 of everything that no record names."""

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from winnow.errors import OutputError
from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.ledger import record_files
from winnow.runs.outputs import FILES
from winnow.runs.run_record import RUN_RECORD
from winnow.runs.storage import put, read_file, sha256_if_exists
from winnow.runs.store_errors import explain_store_errors

SUCCESS = "_SUCCESS.json"

REPORT = "report.json"

SINGLE_FILES = (RUN_RECORD, REPORT, "report.html")
"""The files of a run that are in no record, besides those of `FILES`."""


class SuccessFile(BaseModel, frozen=True, extra="forbid", strict=True):
    """The content of `_SUCCESS.json`, which marks a folder as complete."""

    def encode(self) -> bytes:
        return encode_object(self.model_dump(), indent=2)


S = TypeVar("S", bound=SuccessFile)


class Completion(SuccessFile, frozen=True):
    """The numbers of lines and rows, the sha256 of each file, and a sha256 over all records."""

    lines: int
    blank: int
    kept: int
    dropped: int
    quarantined: int
    sha256: dict[str, str | None]
    ledger: str

    @property
    def counts(self) -> dict[str, int]:
        return self.model_dump(include={"lines", "blank", "kept", "dropped", "quarantined"})


def complete(run: Path, counts: dict[str, int]) -> None:
    """Mark a run as complete."""
    sha256 = {name: sha256_if_exists(run / name) for name in (*SINGLE_FILES, *FILES)}
    put(run / SUCCESS, Completion(**counts, sha256=sha256, ledger=ledger_digest(run)).encode())


def read_completion(run: Path) -> Completion:
    """Read `_SUCCESS.json`; raises OutputError if the run is not complete, or if the file is damaged."""
    return read_success(run, Completion, f"not a complete run: finish it with winnow resume {run}")


def read_success(folder: Path, kind: type[S], incomplete: str) -> S:
    """Read `_SUCCESS.json`; raises OutputError if the folder has none, or if it is not what was written, byte by byte.

    `incomplete` says what to do if there is none.
    """
    file = folder / SUCCESS
    try:
        with explain_store_errors(folder):
            content = read_file(file)
        found = kind.model_validate(decode_object(content))
    except FileNotFoundError as error:
        raise OutputError(f"{folder}: {incomplete}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise OutputError(f"{file}: damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{file}: damaged: {error}") from error
    if found.encode() != content:
        raise OutputError(f"{file}: damaged: not what was written")
    return found


def ledger_digest(run: Path) -> str:
    """Return a sha256 over the names and contents of all records."""
    digests = [f"{path.name} {sha256_if_exists(path)}\n" for path in record_files(run)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def read_report(run: Path) -> bytes:
    """Return `report.json` of a complete run; raises OutputError if it is not what the run wrote."""
    completion = read_completion(run)
    try:
        content = read_file(run / REPORT)
    except OSError as error:
        raise OutputError(f"{run / REPORT}: cannot be read: {error.strerror}: {REMEDY} {run}") from error
    if hashlib.sha256(content).hexdigest() != completion.sha256.get(REPORT):
        raise OutputError(f"{run / REPORT}: altered since it was written: {REMEDY} {run}")
    return content


REMEDY = "write it again with winnow resume"
