"""How runs end: dataset, manifest and report."""

from pathlib import Path

from flows.streaming import Step, stream
from tasks.load import gather_fields
from tasks.publish import publish_shard, write_manifest
from tasks.report import report_run
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Settings
from winnow.reports.summary import Report
from winnow.reports.throughput import Passes
from winnow.schema import ShardedManifest

LIGHT_TASKS = 4  # tasks without a model that run at once


def finalize(
    judged: list[Path],
    rows: list[Path],
    manifest: ShardedManifest,
    passes: Passes,
    settings: Settings,
    run: Path,
    gates: Gates | None = None,
) -> Report:
    """Write what users take away of judged shards.

    `rows` are the shards as read, `passes` each model's readings, `gates` what a cascade's first gate went by.
    """
    fields = gather_fields(rows)
    publication = Step(lambda shard: [publish_shard.submit(shard, fields)], lambda: LIGHT_TASKS)
    stream(judged, publication)
    write_manifest(judged, fields, run)
    return report_run(judged, publication.results(), manifest, passes, settings, run, gates)
