"""Whether an export keeps its promises: all files are hashed again, and the rows counted."""

from collections import Counter
from pathlib import Path

from winnow.errors import OutputError
from winnow.export.pack import read_entries
from winnow.export.record import EXPORT_RECORD, ExportReport, read_export_report, read_record_of
from winnow.export.rows import MANIFEST
from winnow.runs import ledger
from winnow.runs.completion import SUCCESS, ledger_digest
from winnow.runs.output_folder import DRAFTS
from winnow.runs.records import Record, read_record
from winnow.runs.storage import is_draft, location, sha256_if_exists
from winnow.runs.verify import Verification

OWN = {EXPORT_RECORD, SUCCESS, "_lock", ledger.LEDGER, ledger.STAGES}


def verify_export(output: Path) -> list[Verification]:
    """Check every promise of an export."""
    read = {path: read_record(path) for path in ledger.record_files(output)}
    records = [record for record in read.values() if record is not None]
    files = {name: sha256 for record in records for name, sha256 in record["files"].items()}
    damaged = [name for name, sha256 in sorted(files.items()) if sha256_if_exists(output / name) != sha256]
    try:
        report = read_export_report(output)
    except OutputError as error:
        return [Verification(str(error), False), check_files(records, files, damaged)]
    lost = [path.stem for path, record in read.items() if record is None]
    return [
        check_records(output, records, lost, report),
        check_files(records, files, damaged),
        check_counts(output, records, damaged, report),
        Verification(f"{EXPORT_RECORD} is unchanged", sha256_if_exists(output / EXPORT_RECORD) == report.sha256),
        check_other_files(output, set(files)),
        check_run(output),
    ]


def check_records(output: Path, records: list[Record], lost: list[str], report: ExportReport) -> Verification:
    """Every record is what was written, and none was added or removed since the end of the export."""
    if lost:
        return Verification(f"{len(lost):,} records in {output / ledger.LEDGER} are damaged: {lost[0]}", False)
    same = report.ledger == ledger_digest(output)
    problem = "" if same else "; since the end of the export, some were added or removed"
    return Verification(f"{len(records):,} records are intact{problem}", same)


def check_files(records: list[Record], files: dict[str, str], damaged: list[str]) -> Verification:
    """Every file that a record names exists and has the recorded sha256."""
    names = f"; missing or altered: {', '.join(damaged[:5])}" if damaged else ""
    return Verification(f"{len(files):,} files match their {len(records):,} records{names}", not damaged)


def check_counts(output: Path, records: list[Record], damaged: list[str], report: ExportReport) -> Verification:
    """Every kept row of the run is exported once, or left out with a reason."""
    stored = [name for record in records for name in record["files"] if name.startswith(f"{ledger.STAGES}/pack/")]
    ids = Counter(entry["id"] for name in stored if name not in damaged for entry in read_entries(output / name))
    left_out = sum(report.left_out.values())
    sentence = f"{report.kept:,} kept rows = {report.exported:,} exported + {left_out:,} left out"
    balanced = report.kept == report.exported + left_out and len(ids) == ids.total() == report.exported
    return Verification(sentence, balanced)


def check_other_files(output: Path, recorded: set[str]) -> Verification:
    """Check that no attempt left files; those of others are named, and are not part of the export."""
    tops = {name.partition("/")[0] for name in recorded} | OWN
    foreign = [path.name for path in sorted(output.iterdir()) if path.name not in tops]
    leftovers = [name for name in foreign if name.startswith(DRAFTS) or is_draft(output / name)]
    names = f"; not the export's, and not checked: {', '.join(foreign[:5])}" if foreign else ""
    return Verification(f"{len(leftovers)} files are left of attempts that died{names}", not leftovers)


def check_run(output: Path) -> Verification:
    """Check that the run's manifest is still what was exported, if it is on this machine."""
    record = read_record_of(output)
    manifest = location(str(record["parameters"]["run"])) / MANIFEST
    sha256 = sha256_if_exists(manifest)
    if sha256 is None:
        return Verification(f"{manifest} is not on this machine and was not compared", True)
    return Verification(f"{manifest} is what was exported", sha256 == record["sha256"][MANIFEST])
