"""`export.json` and `_SUCCESS.json` of an export: what it was asked for, and what it has once it is complete."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from winnow.errors import OutputError, RunMismatch
from winnow.parameters.export import Export
from winnow.runs.completion import SUCCESS, SuccessFile, ledger_digest, read_success
from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.run_record import differences, with_absolute_paths, without_not_compared
from winnow.runs.storage import location, put, put_if_absent, read_file, sha256_if_exists
from winnow.runs.store_errors import explain_store_errors

EXPORT_RECORD = "export.json"


class PartCount(BaseModel, frozen=True, extra="forbid", strict=True):
    """How much a part has; `share` is of all hours."""

    utterances: int
    hours: float
    share: float


class ExportReport(SuccessFile, frozen=True):
    """What an export has: `kept` rows of the run are `exported` or `left_out`, which counts them by reason.

    `components` and `largest_share` say what keeping parts apart cost, `ledger` and `sha256` are hashes of the records
    and of `export.json`.
    """

    kept: int
    exported: int
    hours: float
    left_out: dict[str, int]
    parts: dict[str, PartCount]
    components: int | None
    largest_share: float | None
    not_compared: int
    ledger: str
    sha256: str

    @property
    def remarks(self) -> list[str]:
        """What keeping parts apart cost, and what was not compared, in sentences."""
        sentences = []
        if self.components is not None and self.largest_share is not None:
            sentences.append(
                f"{self.components:,} groups of utterances had to stay together; the largest has "
                f"{self.largest_share:.1%} of the hours"
            )
        if self.not_compared:
            sentences.append(
                f"warning: the audio of {self.not_compared:,} utterances of evaluation sets cannot be read and was not "
                "compared"
            )
        return sentences

    @property
    def table(self) -> list[dict[str, str]]:
        """What each part has, and what was left out, for people."""
        parts = [
            {
                "part": name,
                "utterances": f"{part.utterances:,}",
                "hours": f"{part.hours:.3f}",
                "share": f"{part.share:.2%}",
            }
            for name, part in self.parts.items()
        ]
        blank = {"hours": "", "share": ""}
        left_out = [{"part": f"left out: {name}", "utterances": f"{n:,}", **blank} for name, n in self.left_out.items()]
        return parts + left_out


def is_export(output: Path) -> bool:
    """Tell whether a folder is that of an export."""
    return (output / EXPORT_RECORD).exists()


def record_of(settings: Export, inputs: dict[str, str]) -> dict[str, Any]:
    """Return the content of `export.json`; `inputs` are the sha256 of what is read."""
    parameters = with_absolute_paths(settings) | {"run": str(location(settings.run))}
    return {
        "parameters": without_not_compared(parameters, Export),
        "sha256": inputs,
        "versions": {"winnow": version("winnow")},
    }


def check_same_export(output: Path, settings: Export, inputs: dict[str, str]) -> None:
    """Write `export.json`; raise RunMismatch if the folder has another export."""
    record = record_of(settings, inputs)
    if put_if_absent(output / EXPORT_RECORD, encode_object(record, indent=2)):
        return
    before = read_record_of(output)
    compared = ({name: content.get(name) for name in ("parameters", "sha256")} for content in (before, record))
    if changes := differences(*compared):
        raise RunMismatch(f"{output} holds another export ({changes}): choose another output, or remove this one")
    put(output / EXPORT_RECORD, encode_object(record, indent=2))


def read_record_of(output: Path) -> dict[str, Any]:
    """Read `export.json`; raises OutputError if it is missing or damaged."""
    try:
        with explain_store_errors(output):
            return decode_object(read_file(output / EXPORT_RECORD))
    except (OSError, ValueError) as error:
        raise OutputError(f"{output / EXPORT_RECORD}: not the record of an export: {error}") from error


def complete_export(output: Path, report: ExportReport) -> ExportReport:
    """Write `_SUCCESS.json`, which marks the export as complete; return the report with its hashes."""
    record = sha256_if_exists(output / EXPORT_RECORD) or ""
    complete = report.model_copy(update={"ledger": ledger_digest(output), "sha256": record})
    put(output / SUCCESS, complete.encode())
    return complete


def read_export_report(output: Path) -> ExportReport:
    """Read `_SUCCESS.json`; raises OutputError if the export is not complete, or if the file is damaged."""
    return read_success(output, ExportReport, "not complete: run the same command again")


def digest_of(record: dict[str, Any]) -> str:
    """Return a hash of what an export was asked for, which every key of its ledger has."""
    content = {name: record[name] for name in ("parameters", "sha256", "versions")}
    return hashlib.sha256(encode_object(content)).hexdigest()
