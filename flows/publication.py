"""How runs end: dataset, manifest and report."""

from pathlib import Path

from flows.stream import Step, stream
from tasks.gates.gate import Gates
from tasks.parameters.ensemble import Settings
from tasks.publish import publish_shard, write_manifest
from tasks.read import gather_fields
from tasks.report import Passes, report_run
from tasks.reports.quality import Report
from tasks.schema import Manifest

QUICK = 4  # tasks without a model that run at once


def publish(
    judged: list[Path],
    rows: list[Path],
    manifest: Manifest,
    passes: Passes,
    settings: Settings,
    run: Path,
    gates: Gates | None = None,
) -> Report:
    """Write what users take away of judged shards.

    `rows` are the shards as read, `passes` each model's readings, `gates` what a cascade's first gate went by.
    """
    fields = gather_fields(rows)
    publication = Step(lambda shard: [publish_shard.submit(shard, fields)], lambda: QUICK)
    stream(judged, publication)
    write_manifest(judged, fields, run)
    return report_run(judged, publication.results(), manifest, passes, settings, run, gates)
