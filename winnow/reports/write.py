"""Writing a run's report."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.printable import printable_json
from winnow.reports.counts import check_conservation
from winnow.reports.follow_up import FollowUp
from winnow.reports.little_kept import little_kept
from winnow.reports.recommendations import recommend
from winnow.reports.render import render_markdown, render_report
from winnow.reports.report_rows import read_report_rows
from winnow.reports.summary import Report, ReportContext, summarize, summarize_ensemble
from winnow.reports.throughput import Throughput
from winnow.roles import Role
from winnow.runs.run_record import read_run_record
from winnow.runs.shard_files import read_table
from winnow.runs.storage import put
from winnow.schema import ShardedManifest


def write_report(
    filtered: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    speed: dict[Role, Throughput],
    settings: Settings,
    run: Path,
    gates: Gates | None,
    calibration: Calibration | None = None,
) -> tuple[Report, str]:
    """Write report.json and report.html into the run's folder; return the report, and the same as markdown.

    Raises `CountMismatch` unless the filtered shards and the published files each have every utterance exactly once.
    """
    rows = read_report_rows(filtered, settings, calibration)
    published_ids = pa.concat_tables([read_table(part, columns=["id"]) for part in published])["id"]
    check_conservation(published_ids, manifest)
    if isinstance(settings, Ensemble):
        report = summarize_ensemble(rows, manifest, speed, settings)
    else:
        report = summarize(rows, manifest, speed, settings, gates, calibration)
    record = read_run_record(run)
    advice = recommend(report, FollowUp(settings, str(run), record.derived, only_language(rows)))
    report = report.model_copy(update={"warnings": list(little_kept(report)), "recommendations": advice})
    text = render_markdown(report, rows, settings, record)
    put(run / "report.json", printable_json(report.model_dump_json(indent=2)).encode() + b"\n")
    put(run / "report.html", render_report(ReportContext(report, rows, settings, record)).encode())
    return report, text


def only_language(rows: pa.Table) -> str | None:
    """Return the language that all rows with a language have; None if there is none, or several."""
    found = pc.unique(rows["language"]).drop_null()
    language: str | None = found[0].as_py() if len(found) == 1 else None
    return language
