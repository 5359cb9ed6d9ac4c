"""Writing a run's report."""

from pathlib import Path

import pyarrow as pa

from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.printable import printable_json
from winnow.reports.counts import check_conservation
from winnow.reports.little_kept import little_kept
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
    report = report.model_copy(update={"warnings": list(little_kept(report))})
    record = read_run_record(run)
    text = render_markdown(report, rows, settings, record)
    put(run / "report.json", printable_json(report.model_dump_json(indent=2)).encode() + b"\n")
    put(run / "report.html", render_report(ReportContext(report, rows, settings, record)).encode())
    return report, text
