"""The verdicts that a run was made with: a stage of it, which runs that are made from it take over."""

import hashlib
from pathlib import Path

import pyarrow as pa

from winnow.errors import OutputError
from winnow.runs import ledger
from winnow.runs.shard_files import read_table, store_table
from winnow.runs.storage import is_local
from winnow.verdicts.files import read_verdicts
from winnow.verdicts.verdict import Verdict, in_order, standing

VERDICTS = "verdicts"
"""The stage with the verdicts, and what a run calls them among its inputs."""

COLUMN = "verdict"  # a line of JSON


def verdicts_for(run: Path, own: bool, sha256: str = "") -> list[Verdict]:
    """Return the verdicts that a run was made with and, if `own`, those on it since.

    With the digest of what they were at some time, those that came later are left out. Raises OutputError if `own` and
    there are none, or if no such time is found.
    """
    verdicts = carried_verdicts(run)
    if own:
        if not is_local(run):
            raise OutputError(f"{run}: reviews of a run in an object store are not read: copy the run to a local disk")
        verdicts += read_verdicts(run).verdicts
        if not verdicts:
            raise OutputError(f"{run}: no reviews: make them with winnow review {run}")
    ordered = in_order(verdicts)
    return first_with_digest(run, ordered, sha256) if sha256 else ordered


def first_with_digest(run: Path, verdicts: list[Verdict], sha256: str) -> list[Verdict]:
    """Return the first verdicts, so many that they have this digest."""
    digest = hashlib.sha256()
    for count, verdict in enumerate(verdicts, 1):
        digest.update(("\n" if count > 1 else "").encode() + line_of(verdict).encode())
        if digest.hexdigest() == sha256:
            return verdicts[:count]
    raise OutputError(
        f"{run}: its reviews are not those that the other run was begun with, and more (sha256 {sha256[:12]}…): "
        "choose another output"
    )


def carried_verdicts(run: Path) -> list[Verdict]:
    """Return the verdicts that a run was made with."""
    files = ledger.files_by_stage(run).get(VERDICTS, [])
    return [verdict for file in files for verdict in verdicts_in(file)]


def verdicts_in(file: Path) -> list[Verdict]:
    """Read a file of the stage."""
    return [Verdict.model_validate_json(line) for line in read_table(file)[COLUMN].to_pylist()]


def decided_rows(file: Path) -> set[str]:
    """Return the keys of the rows about which a verdict in a file of the stage decides."""
    return {row for row, stands in standing(verdicts_in(file)).items() if stands.decided}


def verdicts_digest(verdicts: list[Verdict]) -> dict[str, str | None]:
    """Return a sha256 over verdicts in order, as an input of a run; nothing without verdicts."""
    if not verdicts:
        return {}
    return {VERDICTS: hashlib.sha256("\n".join(map(line_of, verdicts)).encode()).hexdigest()}


def store_verdicts(run: Path, verdicts: list[Verdict]) -> Path:
    """Commit the verdicts that a run is made with; return the file."""
    key = ledger.key_of(VERDICTS, verdicts_digest(verdicts))
    if (record := ledger.find_record(run, key)) is None:
        table = pa.table({COLUMN: pa.array(map(line_of, verdicts), pa.string())})
        file = store_table(run / ledger.STAGES / VERDICTS, "00000", table)
        record = ledger.commit(run, key, [file], stage=VERDICTS, shard="all")
    name: str = next(iter(record["files"]))
    return run / name


def line_of(verdict: Verdict) -> str:
    return verdict.model_dump_json(exclude_none=True)
