"""The quality report: report.json, report.html and the artifacts of the flow run."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.reports.audit import audit_decisions
from winnow.reports.ensemble import summarize_ensemble
from winnow.reports.render import decision_of, describe_reason, render_markdown, render_page
from winnow.reports.summary import COUNTS, Report, check_balance, summarize
from winnow.reports.throughput import Passes, Throughput, speed_of
from winnow.roles import Role, band_of
from winnow.rules.rule import Rules
from winnow.runs.run_dir import mark_complete
from winnow.runs.storage import put, read_schema, read_table
from winnow.schema import ShardedManifest
from winnow.validation.rules import rules_for

COMMON_COLUMNS = ["id", "duration", "text", "reason", "reasons", "pred_text", "wer", "agreement", "model", "decision"]


def report_columns(settings: Settings) -> list[str]:
    """What the report needs of a row: all rows of a run are in memory at once here, and for a budget's gate."""
    if isinstance(settings, Ensemble):
        return [*COMMON_COLUMNS, *(f"{role}_{name}" for role in settings.roles for name in ("wer", *COUNTS))]
    roles = settings.roles if settings.large else ["small", "large"]
    of_readings = [f"{role}_{name}" for role in roles for name in ("pred_text", "wer", *COUNTS)]
    return [*COMMON_COLUMNS, *of_readings, *map(band_of, roles[:-1])]


def rows_of(shard: Path, columns: list[str], rules: Rules) -> pa.Table:
    """What the report needs of a judged shard, and what the large model says of the rows that it audits."""
    audited = "audit" in read_schema(shard).names and pc.any(read_table(shard, columns=["audit"])["audit"]).as_py()
    rows = read_table(shard, columns=None if audited else columns)
    opinions = audit_decisions(rows, rules) if audited else pa.nulls(len(rows), pa.bool_())
    return rows.select(columns).append_column("large_keeps", opinions)


def write_report(
    judged: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    speed: dict[Role, Throughput],
    settings: Settings,
    run: Path,
    gates: Gates | None,
) -> tuple[Report, str]:
    """Count every row once more, write the report into the run's folder and mark the run as whole.

    What comes back is the report, and the same as markdown.
    """
    rules = rules_for(settings)
    rows = pa.concat_tables([rows_of(shard, report_columns(settings), rules) for shard in judged])
    parts = [read_table(part, columns=["id"]) for part in published]
    check_balance(pa.concat_tables(parts)["id"], manifest)
    if isinstance(settings, Ensemble):
        report = summarize_ensemble(rows, manifest, speed, settings)
    else:
        report = summarize(rows, manifest, speed, settings, gates)
    text = render_markdown(report, rows, settings)
    put(run / "report.json", report.model_dump_json(indent=2).encode() + b"\n")
    put(run / "report.html", render_page(text, f"Quality report: {settings.manifest.name}").encode())
    mark_complete(run, set(published), report.model_dump(include={"lines", "blank", "kept", "dropped", "quarantined"}))
    return report, text


@task(task_run_name="report", cache_policy=NO_CACHE, **RETRY)
def report_run(
    judged: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    passes: Passes,
    settings: Settings,
    run: Path,
    gates: Gates | None = None,
) -> Report:
    return publish_artifacts(*write_report(judged, published, manifest, speed_of(run, passes), settings, run, gates))


@task(task_run_name="report", cache_policy=NO_CACHE, **RETRY)
def report_again(
    judged: list[Path],
    published: list[Path],
    manifest: ShardedManifest,
    before: Path,
    settings: Settings,
    run: Path,
) -> Report:
    """The report of a run whose readings are another's, with what they took there."""
    then = Report.model_validate_json((before / "report.json").read_bytes())
    return publish_artifacts(*write_report(judged, published, manifest, then.speed, settings, run, then.gates))


def publish_artifacts(report: Report, text: str) -> Report:
    """Make the artifacts of the flow run."""
    create_markdown_artifact(text, key="quality-report", description="Quality report of a curation")
    create_table_artifact(
        [
            {"decision": decision_of(name), "reason": name, "in words": describe_reason(name, found)}
            | {
                "utterances": found.utterances,
                "hours": found.hours,
                "violations": found.violations,
                "only_this_rule": found.only_this_rule,
            }
            for name, found in report.reasons.items()
        ],
        key="reasons",
        description="Why utterances were dropped or quarantined",
    )
    if report.bands:
        create_table_artifact(
            [{"band": name} | band.model_dump() for name, band in report.bands.items()],
            key="gate",
            description="What the gate behind the small model did, and what it loses",
        )
    return report
