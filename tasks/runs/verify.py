"""Whether a run is what it says: everything counted and hashed anew, from the bytes."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.runs import ledger
from tasks.runs.output import orphans
from tasks.runs.storage import BadOutput, read_table


@dataclass(frozen=True)
class Check:
    """Something that a run promises, and whether it holds."""

    words: str
    holds: bool


def inspect(run: Path) -> list[Check]:
    """Every promise of a run's folder."""
    try:
        asked = json.loads((run / "run.json").read_bytes())
    except (OSError, ValueError) as error:
        raise BadOutput(f"{run}: no run to verify: {error}") from error
    try:
        records = ledger.all_records(run)
        files = {name: sha256 for record in records.values() for name, sha256 in record["files"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return [Check(f"a record in {run / '_ledger'} that is none: {error!r}", False)]
    bad = [name for name, sha256 in sorted(files.items()) if ledger.digest_of(run / name) != sha256]
    rows = published(run, records, bad)
    checks = [recorded_files(len(records), len(files), bad), *conserved(records, rows), manifest_of_kept(run, rows)]
    return [*checks, reported(run, rows), no_orphans(run), unchanged_input(asked)]


def recorded_files(records: int, files: int, bad: list[str]) -> Check:
    more = f"; missing or altered: {', '.join(bad[:5])}" if bad else ""
    return Check(f"{files:,} files as {records:,} records have them{more}", not bad)


def conserved(records: dict[str, ledger.Record], rows: pa.Table) -> list[Check]:
    """That every line of the manifest that is not blank is in one published file, once."""
    whole = [record for record in records.values() if record.get("stage") == "slices"]
    if len(whole) != 1:
        return [Check(f"one manifest split into shards, not {len(whole)}", False)]
    lines, blank = whole[0]["lines"], whole[0]["blank"]
    decisions = Counter(rows["decision"].to_pylist())
    ids = Counter(rows["id"].to_pylist())
    twice = sorted(number for number, count in ids.items() if count > 1)
    strange = sorted(number for number in ids if not 1 <= number <= lines)
    parts = ", ".join(f"{decisions[name]:,} {name}" for name in ("keep", "drop", "quarantine"))
    balanced = len(rows) == lines - blank and decisions.total() == len(rows)
    apart = f"; more than once: line {twice[0]}" if twice else f"; no line {strange[0]}" if strange else ""
    return [
        Check(f"{lines:,} lines = {blank:,} blank + {len(rows):,} published ({parts})", balanced),
        Check(f"every published row is another line{apart}", not twice and not strange),
        Check("every row that is not kept has a reason", reasons_given(rows)),
    ]


def reasons_given(rows: pa.Table) -> bool:
    pairs = zip(rows["decision"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    return all((decision == "keep") == (reason is None) for decision, reason in pairs)


def published(run: Path, records: dict[str, ledger.Record], bad: list[str]) -> pa.Table:
    """The id, decision and reason of every published row that is there and whole."""
    columns = pa.schema([("id", pa.int64()), ("decision", pa.string()), ("reason", pa.string())])
    names = sorted(name for record in records.values() if record.get("stage") == "publish" for name in record["files"])
    tables = [read_table(run / name, columns=columns.names) for name in names if name not in set(bad)]
    return pa.concat_tables([columns.empty_table(), *(rows.cast(columns) for rows in tables)])


def manifest_of_kept(run: Path, rows: pa.Table) -> Check:
    pairs = zip(rows["id"].to_pylist(), rows["decision"].to_pylist(), strict=True)
    kept = sorted(number for number, decision in pairs if decision == "keep")
    try:
        with (run / "manifest.jsonl").open("rb") as lines:
            written = [json.loads(line)["id"] for line in lines]
    except (OSError, ValueError, KeyError) as error:
        return Check(f"manifest.jsonl: {error}", False)
    same = ledger.digest_of(run / "manifest.jsonl") == marked(run).get("manifest_sha256")
    return Check(f"manifest.jsonl has the {len(kept):,} kept rows, as written", sorted(written) == kept and same)


def marked(run: Path) -> dict[str, Any]:
    """What the mark of success says; nothing where there is none."""
    try:
        found = json.loads((run / "_SUCCESS.json").read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


COUNTED = {"keep": "kept", "drop": "dropped", "quarantine": "quarantined"}


def reported(run: Path, rows: pa.Table) -> Check:
    """That the report and the mark of success say the same, and what the published rows say."""
    success = {name: value for name, value in marked(run).items() if name != "manifest_sha256"}
    if not success:
        return Check("the run did not end: no _SUCCESS.json", False)
    try:
        report: dict[str, Any] = json.loads((run / "report.json").read_bytes())
    except (OSError, ValueError) as error:
        return Check(f"report.json: {error}", False)
    decisions = Counter(rows["decision"].to_pylist())
    counted = {name: decisions[decision] for decision, name in COUNTED.items()}
    for said, place in ((success, "_SUCCESS.json"), (report, "report.json")):
        for name, count in counted.items():
            if said.get(name) != count:
                return Check(f"{place} says {said.get(name)} {name}, and {count:,} are", False)
    return Check("report.json and _SUCCESS.json agree", success == {name: report.get(name) for name in success})


def no_orphans(run: Path) -> Check:
    found = orphans(run)
    return Check(f"{len(found)} files that no record names", not found)


def unchanged_input(asked: dict[str, Any]) -> Check:
    """That the manifest is still the one that was read, where it can be seen from here."""
    path = Path(asked["parameters"]["manifest"])
    now = ledger.digest_of(path)
    if now is None:
        return Check(f"{path} is not here, and was not compared", True)
    return Check(f"{path} is as it was read", now == asked["sha256"]["manifest"])
