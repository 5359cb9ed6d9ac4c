"""Writing a run's report."""

from pathlib import Path

from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Settings
from winnow.printable import printable_json
from winnow.reports.counts import IdCounts
from winnow.reports.follow_up import FollowUp
from winnow.reports.little_kept import little_kept
from winnow.reports.recommendations import recommend
from winnow.reports.render import render_report
from winnow.reports.report_rows import read_report_rows
from winnow.reports.summary import ReportContext, summarize
from winnow.reports.throughput import Throughput
from winnow.roles import Role
from winnow.runs.run_record import read_run_record
from winnow.runs.shard_files import read_columns
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
) -> ReportContext:
    """Write report.json and report.html into the run's folder; return the report, and what it is shown from.

    Raises `CountMismatch` unless the filtered shards and the published files each have every utterance exactly once.
    """
    published_ids = IdCounts()
    for part in published:
        published_ids.add(read_columns(part, ["id"])["id"])
    published_ids.check(manifest)
    shards = read_report_rows(filtered, settings, calibration)
    report = summarize(shards, manifest, speed, settings, gates, calibration)
    record = read_run_record(run)
    advice = recommend(report, FollowUp(settings, str(run), record.derived, report.language))
    report = report.model_copy(update={"warnings": list(little_kept(report)), "recommendations": advice})
    context = ReportContext(report, settings, record)
    put(run / "report.json", printable_json(report.model_dump_json(indent=2)).encode() + b"\n")
    put(run / "report.html", render_report(context).encode())
    return context
