"""Whether the output of a run keeps its promises: all files are read, counted and hashed again."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OutputError
from winnow.runs import ledger
from winnow.runs.completion import REPORT, SINGLE_FILES, Completion, ledger_digest, read_completion
from winnow.runs.contents import survey
from winnow.runs.json_object import decode_object
from winnow.runs.outputs import FILES, FileForm, kept
from winnow.runs.records import Record, read_record
from winnow.runs.run_record import RUN_RECORD, read_run_record
from winnow.runs.shard_files import read_columns
from winnow.runs.storage import read_file, sha256_if_exists
from winnow.schema import select_columns

ROWS = pa.schema(
    [
        *[("id", pa.int64()), ("decision", pa.string()), ("reason", pa.string()), ("mended", pa.list_(pa.string()))],
        ("review", pa.string()),
    ]
)

COUNT_NAMES = {"keep": "kept", "drop": "dropped", "quarantine": "quarantined"}
"""What the report calls the number of rows with each decision."""


@dataclass(frozen=True)
class Verification:
    """A promise in a sentence, and whether it holds."""

    sentence: str
    holds: bool


@dataclass(frozen=True)
class Output:
    """What a run left: its intact records, its damaged records and files, and the published rows of all others.

    `completion` is `_SUCCESS.json`, or the error that it cannot be read.
    """

    run: Path
    records: list[Record]
    damaged_records: list[str]
    damaged: list[str]
    rows: pa.Table
    completion: Completion | OutputError

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self.rows[name].to_pylist()
        return values


def verify_run(run: Path) -> list[Verification]:
    """Check every promise of a run's output; raise OutputError if the folder has no run."""
    if not (run / RUN_RECORD).exists():
        raise OutputError(f"{run}: not a run's folder: {RUN_RECORD} is missing")
    output = read_output(run)
    return [
        check_records(output),
        check_files(output),
        check_line_count(output),
        check_unique_lines(output),
        check_reasons(output),
        *check_reviews(output),
        *(check_output_file(output, name, form) for name, form in FILES.items()),
        *(check_single_file(output, name) for name in SINGLE_FILES),
        check_report(output),
        *check_other_files(output),
        check_input(output),
    ]


def read_output(run: Path) -> Output:
    """Read what a run left, whatever its state."""
    read = {path: read_record(path) for path in ledger.record_files(run)}
    records = [record for record in read.values() if record is not None]
    damaged_records = [path.stem for path, record in read.items() if record is None]
    files = {name: sha256 for record in records for name, sha256 in record["files"].items()}
    damaged = [name for name, sha256 in sorted(files.items()) if sha256_if_exists(run / name) != sha256]
    rows = published_rows(run, records, damaged)
    try:
        return Output(run, records, damaged_records, damaged, rows, read_completion(run))
    except OutputError as error:
        return Output(run, records, damaged_records, damaged, rows, error)


def published_rows(run: Path, records: list[Record], damaged: list[str]) -> pa.Table:
    """Read the columns ROWS of every published row whose file is not damaged."""
    published = sorted(name for record in records if record.get("stage") == "publish" for name in record["files"])
    reviewed = any(record.get("stage") == "review" for record in records)
    names = [name for name in ROWS.names if reviewed or name != "review"]  # else, it is a field of the manifest
    tables = [read_columns(run / name, names) for name in published if name not in set(damaged)]
    return pa.concat_tables([ROWS.empty_table(), *(select_columns(table, ROWS) for table in tables)])


def check_records(output: Output) -> Verification:
    """Every record is what was written, and none was added or removed since the end of the run."""
    names = output.damaged_records
    if names:
        shown = ", ".join(names[:5])
        return Verification(f"{len(names):,} records in {output.run / ledger.LEDGER} are damaged: {shown}", False)
    completion = output.completion
    same = isinstance(completion, OutputError) or completion.ledger == ledger_digest(output.run)
    problem = "" if same else "; since the end of the run, some were added or removed"
    return Verification(f"{len(output.records):,} records are intact{problem}", same)


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


def check_reviews(output: Output) -> Iterator[Verification]:
    """Check that every row is kept or dropped as a person decided, of runs with verdicts."""
    if any(record.get("stage") == "review" for record in output.records):
        rows = list(zip(output.column("decision"), output.column("review"), strict=True))
        reviewed = [(decision, review) for decision, review in rows if review and decision != "quarantine"]
        holds = all((decision == "drop") == (review == "drop") for decision, review in reviewed)
        yield Verification(f"{len(reviewed):,} reviewed rows are kept or dropped as their reviewers decided", holds)


def check_output_file(output: Output, name: str, form: FileForm) -> Verification:
    """Check that a form of output that is one file is unchanged and, if it can be read back, has the kept rows."""
    unaltered = check_single_file(output, name)
    if form.kept_ids is None:
        return unaltered
    expected = sorted(kept(output.rows)["id"].to_pylist())
    try:
        complete = unaltered.holds and sorted(form.kept_ids(output.run / name)) == expected
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Verification(f"{name}: {error}", False)
    return Verification(f"{name} has the {len(expected):,} kept rows, and is unchanged", complete)


def check_single_file(output: Output, name: str) -> Verification:
    """Check that a file that is in no record has the sha256 that `_SUCCESS.json` names."""
    known = {} if isinstance(output.completion, OutputError) else output.completion.sha256
    sha256 = sha256_if_exists(output.run / name)
    return Verification(f"{name} is unchanged", sha256 is not None and sha256 == known.get(name))


def check_report(output: Output) -> Verification:
    """Check that `_SUCCESS.json` and `report.json` have the same counts, which are those of the published rows."""
    if isinstance(output.completion, OutputError):
        return Verification(str(output.completion), False)
    try:
        report = decode_object(read_file(output.run / REPORT))
    except (OSError, ValueError):
        return Verification(f"{REPORT} is missing or damaged", False)
    decisions, counts = Counter(output.column("decision")), output.completion.counts
    for file, stated in {"_SUCCESS.json": counts, REPORT: report}.items():
        for decision, name in COUNT_NAMES.items():
            if stated.get(name) != decisions[decision]:
                published = f"{decisions[decision]:,} published rows have the decision {decision}"
                return Verification(f"{file}: {name} is {stated.get(name)!r:.40}, but {published}", False)
    mended = Counter(mending for row in output.column("mended") for mending in row or ())
    if mended_counts(report) != mended:
        return Verification(f"{REPORT}: its counts of mended rows are not those of the published rows", False)
    equal = counts == {name: report.get(name) for name in counts}
    return Verification(f"{REPORT} and _SUCCESS.json agree", equal)


def mended_counts(report: dict[str, Any]) -> dict[str, Any] | None:
    """Return how many rows a report says were mended in each way; None if it is damaged."""
    try:
        return {name: count["utterances"] for name, count in report.get("mended", {}).items()}
    except (AttributeError, KeyError, TypeError):
        return None


def check_other_files(output: Output) -> Iterator[Verification]:
    """Check that no attempt left files; those of others are named, and are not part of the output."""
    contents = survey(output.run)
    yield Verification(f"{len(contents.leftovers)} files are not in any record", not contents.leftovers)
    if contents.foreign:
        names = ", ".join(str(path.relative_to(output.run)) for path in contents.foreign[:5])
        entries = f"{len(contents.foreign)} entries are not Winnow's"
        yield Verification(f"{entries}, so they are not checked and never removed: {names}", True)


def check_input(output: Output) -> Verification:
    """Check that the manifest is still what the run read, if it is on this machine."""
    try:
        record = read_run_record(output.run)
    except OutputError as error:
        return Verification(str(error), False)
    path, relative_to, root, columns = (
        str(record.parameters.get(name) or "") for name in ("manifest", "relative_to", "audio_root", "columns")
    )
    try:
        sha256 = open_source(path, relative_to or root, columns=columns).digest()  # tars may be in that folder
    except (ManifestError, ValueError):
        return Verification(f"{path} is not on this machine and was not compared", True)
    return Verification(f"{path} is unchanged", sha256 == record.sha256.get("manifest"))
