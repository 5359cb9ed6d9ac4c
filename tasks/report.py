"""The quality report: report.json, report.html and the artifacts of the flow run."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.gates.criteria import Gates
from winnow.models.resolve import Checkpoint
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.reports.audit import audit_decisions
from winnow.reports.ensemble import summarize_ensemble
from winnow.reports.render import decision_of, describe_reason, render_markdown, render_page
from winnow.reports.summary import COUNTS, Report, check_balance, summarize
from winnow.reports.throughput import Throughput
from winnow.rules.rule import Rules
from winnow.runs import ledger
from winnow.runs.run_dir import mark_complete
from winnow.runs.storage import put, read_schema, read_table
from winnow.schema import Role, ShardedManifest, band_of
from winnow.validation.rules import rules_for

Passes = dict[Role, tuple[list[Checkpoint], list[Path]]]
"""The checkpoints of each pass, and its shards."""

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


def speed_of(run: Path, passes: Passes) -> dict[Role, Throughput]:
    """What each pass took, summed over its shards' records; where languages have models of their own, of each model."""
    records = ledger.records_by_file(run)
    found: dict[Role, Throughput] = {}
    for role, (checkpoints, shards) in passes.items():
        facts = list({id(records[shard]): records[shard]["facts"] for shard in shards}.values())
        parts = [
            (one, [fact["readers"][one.sha256] for fact in facts if one.sha256 in fact.get("readers", {})])
            for one in checkpoints
        ]
        models = [speed([one], mine) for one, mine in parts if mine] if len(checkpoints) > 1 else []
        found[role] = speed(checkpoints, facts).model_copy(update={"models": models})
    return found


def speed(checkpoints: list[Checkpoint], facts: list[ledger.Facts]) -> Throughput:
    """What checkpoints took, by the facts of the records."""
    spent = {
        name: sum(fact.get(name, 0.0) for fact in facts)
        for name in ("utterances", "audio_seconds", "padded_seconds", "seconds")
    }
    said = {name: distinct_values(facts, name) for name in ("device", "precision")}
    peaks = [fact["peak_device_bytes"] for fact in facts if fact.get("peak_device_bytes")]
    seconds = spent["seconds"]
    return Throughput(
        checkpoint=", ".join(one.name for one in checkpoints),
        pinned=all(one.pinned for one in checkpoints),
        utterances=int(spent["utterances"]),
        hours=spent["audio_seconds"] / 3600,
        seconds=seconds,
        model_seconds=sum(fact["model_seconds"] / fact["lanes"] for fact in facts if "lanes" in fact),
        x_real_time=spent["audio_seconds"] / seconds if seconds else None,
        utterances_per_second=spent["utterances"] / seconds if seconds else None,
        padding=1 - spent["audio_seconds"] / spent["padded_seconds"] if spent["padded_seconds"] else None,
        peak_device_bytes=max(peaks, default=None),
        **said,
    )


def distinct_values(facts: list[ledger.Facts], name: str) -> str | None:
    """What the shards say of this, each answer once."""
    return ", ".join(sorted({fact[name] for fact in facts if fact.get(name)})) or None


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
            | {"utterances": found.utterances, "hours": found.hours, "broken": found.broken, "alone": found.alone}
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
