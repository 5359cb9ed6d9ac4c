"""The quality report: report.json, report.html and the artifacts of the flow run."""

from functools import partial
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Settings
from winnow.reports.artifacts import Artifacts
from winnow.reports.render import render_markdown
from winnow.reports.sections import decision_of, describe_reason
from winnow.reports.summary import Report, ReportContext
from winnow.reports.throughput import Passes, Throughput, measure_throughput
from winnow.reports.write import write_report
from winnow.roles import Role
from winnow.runs.completion import read_report
from winnow.runs.run_dir import mark_complete
from winnow.schema import ShardedManifest
from winnow.telemetry.instruments import count_decisions


def report(
    filtered: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    speed: dict[Role, Throughput],
    settings: Settings,
    run: Path,
    gates: Gates | None,
    calibration: Calibration | None,
    artifacts: Artifacts,
) -> Report:
    """Write the report and its artifacts, and mark the run as complete."""
    context = write_report(filtered, published, manifest, speed, settings, run, gates, calibration)
    summary = context.report
    mark_complete(run, set(published), summary.model_dump(include={"lines", "blank", "kept", "dropped", "quarantined"}))
    show_artifacts(context, artifacts)
    count_decisions(
        {"keep": summary.kept, "drop": summary.dropped, "quarantine": summary.quarantined},
        {"keep": summary.kept_hours, "drop": summary.dropped_hours},
        {name: count.utterances for name, count in summary.reasons.items()},
    )
    return summary


@task(task_run_name="report", cache_policy=NO_CACHE, **RETRY)
def report_run(
    filtered: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    passes: Passes,
    settings: Settings,
    run: Path,
    gates: Gates | None,
    calibration: Calibration | None,
    artifacts: Artifacts,
) -> Report:
    """Report on a run that transcribed its own hypotheses."""
    speed = measure_throughput(run, passes)
    return report(filtered, published, manifest, speed, settings, run, gates, calibration, artifacts)


@task(task_run_name="report", cache_policy=NO_CACHE, **RETRY)
def report_derived_run(
    filtered: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    original: Path,
    settings: Settings,
    run: Path,
    calibration: Calibration | None,
    artifacts: Artifacts,
) -> Report:
    """Report on a run that reuses the hypotheses of the run in `original`, whose speed and gates it repeats."""
    before = Report.model_validate_json(read_report(original))
    return report(filtered, published, manifest, before.speed, settings, run, before.gates, calibration, artifacts)


def show_artifacts(context: ReportContext, artifacts: Artifacts) -> None:
    """Show the report, the table of reasons and, for a cascade, the table of bands."""
    summary, text = context.report, partial(render_markdown, *context)
    artifacts.markdown(text, key="quality-report", description="Quality report")
    artifacts.table(
        [
            {"decision": decision_of(name), "reason": name, "meaning": describe_reason(name, count)}
            | count.model_dump(include={"utterances", "hours", "violations", "only_this_rule"})
            for name, count in summary.reasons.items()
        ],
        key="reasons",
        description="Why utterances were dropped or quarantined",
    )
    if summary.bands:
        artifacts.table(
            [{"band": name} | band.model_dump() for name, band in summary.bands.items()],
            key="gate",
            description="Bands of the gate after the small model, with what larger models rescued, lost and cost",
        )
