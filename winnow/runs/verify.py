"""Whether a run is what it says: everything counted and hashed anew, from the bytes."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OutputError
from winnow.runs import ledger
from winnow.runs.run_dir import orphans
from winnow.runs.storage import read_table


@dataclass(frozen=True)
class Verification:
    """Something that a run promises, and whether it holds."""

    words: str
    holds: bool


def verify_run(run: Path) -> list[Verification]:
    """Every promise of a run's folder."""
    try:
        asked = json.loads((run / "run.json").read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(f"{run}: no run to verify: {error}") from error
    try:
        records = ledger.read_records(run)
        files = {name: sha256 for record in records.values() for name, sha256 in record["files"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return [Verification(f"a record in {run / '_ledger'} that is none: {error!r}", False)]
    bad = [name for name, sha256 in sorted(files.items()) if ledger.sha256_if_present(run / name) != sha256]
    rows = published_rows(run, records, bad)
    checks = [check_files(len(records), len(files), bad), *check_conservation(records, rows), check_manifest(run, rows)]
    return [*checks, check_report(run, rows), check_orphans(run), check_input(asked)]


def check_files(records: int, files: int, bad: list[str]) -> Verification:
    more = f"; missing or altered: {', '.join(bad[:5])}" if bad else ""
    return Verification(f"{files:,} files as {records:,} records have them{more}", not bad)


def check_conservation(records: dict[str, ledger.Record], rows: pa.Table) -> list[Verification]:
    """That every line of the manifest that is not blank is in one published file, once."""
    whole = [record for record in records.values() if record.get("stage") == "shard"]
    if len(whole) != 1:
        return [Verification(f"one manifest split into shards, not {len(whole)}", False)]
    lines, blank = whole[0]["lines"], whole[0]["blank"]
    decisions = Counter(rows["decision"].to_pylist())
    ids = Counter(rows["id"].to_pylist())
    twice = sorted(number for number, count in ids.items() if count > 1)
    strange = sorted(number for number in ids if not 1 <= number <= lines)
    parts = ", ".join(f"{decisions[name]:,} {name}" for name in ("keep", "drop", "quarantine"))
    balanced = len(rows) == lines - blank and decisions.total() == len(rows)
    apart = f"; more than once: line {twice[0]}" if twice else f"; no line {strange[0]}" if strange else ""
    return [
        Verification(f"{lines:,} lines = {blank:,} blank + {len(rows):,} published ({parts})", balanced),
        Verification(f"every published row is another line{apart}", not twice and not strange),
        Verification("every row that is not kept has a reason", all_have_reasons(rows)),
    ]


def all_have_reasons(rows: pa.Table) -> bool:
    pairs = zip(rows["decision"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    return all((decision == "keep") == (reason is None) for decision, reason in pairs)


def published_rows(run: Path, records: dict[str, ledger.Record], bad: list[str]) -> pa.Table:
    """The id, decision and reason of every published row that is there and whole."""
    columns = pa.schema([("id", pa.int64()), ("decision", pa.string()), ("reason", pa.string())])
    names = sorted(name for record in records.values() if record.get("stage") == "publish" for name in record["files"])
    tables = [read_table(run / name, columns=columns.names) for name in names if name not in set(bad)]
    return pa.concat_tables([columns.empty_table(), *(rows.cast(columns) for rows in tables)])


def check_manifest(run: Path, rows: pa.Table) -> Verification:
    pairs = zip(rows["id"].to_pylist(), rows["decision"].to_pylist(), strict=True)
    kept = sorted(number for number, decision in pairs if decision == "keep")
    try:
        with (run / "manifest.jsonl").open("rb") as lines:
            written = [json.loads(line)["id"] for line in lines]
    except (OSError, ValueError, KeyError) as error:
        return Verification(f"manifest.jsonl: {error}", False)
    same = ledger.sha256_if_present(run / "manifest.jsonl") == success_counts(run).get("manifest_sha256")
    return Verification(f"manifest.jsonl has the {len(kept):,} kept rows, as written", sorted(written) == kept and same)


def success_counts(run: Path) -> dict[str, Any]:
    """What the mark of success says; nothing where there is none."""
    try:
        found = json.loads((run / "_SUCCESS.json").read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


COUNTED = {"keep": "kept", "drop": "dropped", "quarantine": "quarantined"}


def check_report(run: Path, rows: pa.Table) -> Verification:
    """That the report and the mark of success say the same, and what the published rows say."""
    success = {name: value for name, value in success_counts(run).items() if name != "manifest_sha256"}
    if not success:
        return Verification("the run did not end: no _SUCCESS.json", False)
    try:
        report: dict[str, Any] = json.loads((run / "report.json").read_bytes())
    except (OSError, ValueError) as error:
        return Verification(f"report.json: {error}", False)
    decisions = Counter(rows["decision"].to_pylist())
    counted = {name: decisions[decision] for decision, name in COUNTED.items()}
    for said, place in ((success, "_SUCCESS.json"), (report, "report.json")):
        for name, count in counted.items():
            if said.get(name) != count:
                return Verification(f"{place} says {said.get(name)} {name}, and {count:,} are", False)
    return Verification("report.json and _SUCCESS.json agree", success == {name: report.get(name) for name in success})


def check_orphans(run: Path) -> Verification:
    found = orphans(run)
    return Verification(f"{len(found)} files that no record names", not found)


def check_input(asked: dict[str, Any]) -> Verification:
    """That the manifest is still the one that was read, where it can be seen from here."""
    path = Path(asked["parameters"]["manifest"])
    try:
        now = open_source(path).digest()
    except ManifestError:
        return Verification(f"{path} is not here, and was not compared", True)
    return Verification(f"{path} is as it was read", now == asked["sha256"]["manifest"])
