"""Whether the output of a run keeps its promises: all files are read, counted and hashed again."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OutputError
from winnow.runs import ledger
from winnow.runs.outputs import FILES, FileForm, kept
from winnow.runs.run_dir import find_orphans
from winnow.runs.storage import read_table, sha256_if_exists

ROWS = pa.schema([("id", pa.int64()), ("decision", pa.string()), ("reason", pa.string())])

COUNT_NAMES = {"keep": "kept", "drop": "dropped", "quarantine": "quarantined"}
"""What the report calls the number of rows with each decision."""


@dataclass(frozen=True)
class Verification:
    """A promise in a sentence, and whether it holds."""

    sentence: str
    holds: bool


@dataclass(frozen=True)
class Output:
    """What a run left: `run.json`, the ledger, the names of damaged files, and the published rows of all others."""

    run: Path
    recorded_run: dict[str, Any]
    records: list[ledger.Record]
    damaged: list[str]
    rows: pa.Table

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self.rows[name].to_pylist()
        return values


def verify_run(run: Path) -> list[Verification]:
    """Check every promise of a run's output; raise OutputError if the folder has no run."""
    try:
        recorded_run = json.loads((run / "run.json").read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(f"{run}: not a run's folder: {error}") from error
    try:
        records = list(ledger.read_records(run).values())
        files = {name: sha256 for record in records for name, sha256 in record["files"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return [Verification(f"a record in {run / ledger.LEDGER} is malformed: {error!r}", False)]
    damaged = [name for name, sha256 in sorted(files.items()) if sha256_if_exists(run / name) != sha256]
    output = Output(run, recorded_run, records, damaged, published_rows(run, records, damaged))
    return [
        check_files(output),
        check_line_count(output),
        check_unique_lines(output),
        check_reasons(output),
        *(check_output_file(output, name, form) for name, form in FILES.items()),
        check_report(output),
        check_orphans(output),
        check_input(output),
    ]


def published_rows(run: Path, records: list[ledger.Record], damaged: list[str]) -> pa.Table:
    """Read id, decision and reason of every published row whose file is not damaged."""
    published = sorted(name for record in records if record.get("stage") == "publish" for name in record["files"])
    tables = [read_table(run / name, columns=ROWS.names) for name in published if name not in set(damaged)]
    return pa.concat_tables([ROWS.empty_table(), *(table.cast(ROWS) for table in tables)])


def check_files(output: Output) -> Verification:
    """Every file that a record names exists and has the recorded sha256."""
    files = sum(len(record["files"]) for record in output.records)
    damaged = f"; missing or altered: {', '.join(output.damaged[:5])}" if output.damaged else ""
    return Verification(f"{files:,} files match their {len(output.records):,} records{damaged}", not output.damaged)


def check_line_count(output: Output) -> Verification:
    """As many rows are published as the manifest has lines that are not blank."""
    sharded = [record for record in output.records if record.get("stage") == "shard"]
    if len(sharded) != 1:
        return Verification(f"the manifest was split into shards {len(sharded)} times, not once", False)
    lines, blank = sharded[0]["lines"], sharded[0]["blank"]
    decisions, rows = Counter(output.column("decision")), len(output.rows)
    counts = ", ".join(f"{decisions[name]:,} {name}" for name in COUNT_NAMES)
    balanced = rows == lines - blank and rows == sum(decisions[name] for name in COUNT_NAMES)
    return Verification(f"{lines:,} lines = {blank:,} blank + {rows:,} published ({counts})", balanced)


def check_unique_lines(output: Output) -> Verification:
    """Every published row is from another line of the manifest."""
    lines = sum(record["lines"] for record in output.records if record.get("stage") == "shard")
    ids = Counter(output.column("id"))
    repeated = sorted(number for number, count in ids.items() if count > 1)
    unknown = sorted(number for number in ids if not 1 <= number <= lines)
    problem = f"; line {repeated[0]} more than once" if repeated else f"; no line {unknown[0]}" if unknown else ""
    return Verification(f"every published row is a different line of the manifest{problem}", not problem)


def check_reasons(output: Output) -> Verification:
    """Every row that is not kept has a reason, and no other row has one."""
    pairs = zip(output.column("decision"), output.column("reason"), strict=True)
    explained = all((decision == "keep") == (reason is None) for decision, reason in pairs)
    return Verification("every row that is not kept has a reason", explained)


def check_output_file(output: Output, name: str, form: FileForm) -> Verification:
    """Check that a single file is unchanged and, if its form can be read back, has the kept rows."""
    path = output.run / name
    digests = read_object(output.run / "_SUCCESS.json").get("sha256", {})
    unaltered = path.exists() and sha256_if_exists(path) == digests.get(name)
    if form.kept_ids is None:
        return Verification(f"{name} is unchanged", unaltered)
    expected = sorted(kept(output.rows)["id"].to_pylist())
    try:
        complete = sorted(form.kept_ids(path)) == expected
    except (OSError, ValueError, KeyError) as error:
        return Verification(f"{name}: {error}", False)
    return Verification(f"{name} has the {len(expected):,} kept rows, and is unchanged", complete and unaltered)


def check_report(output: Output) -> Verification:
    """Check that `_SUCCESS.json` and `report.json` have the same counts, which are those of the published rows."""
    success = read_object(output.run / "_SUCCESS.json")
    success.pop("sha256", None)
    if not success:
        return Verification("the run is not complete: no _SUCCESS.json", False)
    report = read_object(output.run / "report.json")
    if not report:
        return Verification("report.json is missing or damaged", False)
    decisions = Counter(output.column("decision"))
    for file, counts in {"_SUCCESS.json": success, "report.json": report}.items():
        for decision, name in COUNT_NAMES.items():
            if counts.get(name) != decisions[decision]:
                published = f"{decisions[decision]:,} published rows have the decision {decision}"
                return Verification(f"{file}: {name} is {counts.get(name)}, but {published}", False)
    equal = success == {name: report.get(name) for name in success}
    return Verification("report.json and _SUCCESS.json agree", equal)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; return {} if there is none."""
    try:
        content = json.loads(path.read_bytes())
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError):
        return {}


def check_orphans(output: Output) -> Verification:
    """Check that a record names every file."""
    orphans = find_orphans(output.run)
    return Verification(f"{len(orphans)} files are not in any record", not orphans)


def check_input(output: Output) -> Verification:
    """Check that the manifest is still what the run read, if it is on this machine."""
    path = Path(output.recorded_run["parameters"]["manifest"])
    try:
        sha256 = open_source(path).digest()
    except ManifestError:
        return Verification(f"{path} is not on this machine and was not compared", True)
    return Verification(f"{path} is unchanged", sha256 == output.recorded_run["sha256"]["manifest"])
