"""Curate: transcribe a manifest with a small model, the doubtful rest with a large one, and keep what agrees."""

import sys

from prefect import flow, unmapped
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import taking
from tasks import checkpoint, ledger
from tasks.cascade import gate_shard
from tasks.config import Curation
from tasks.devices import open_devices
from tasks.filter import judge_shard
from tasks.manifest import split_manifest
from tasks.publish import publish_shard, write_manifest
from tasks.quality import Report
from tasks.report import report_run
from tasks.score import score_shard
from tasks.transcribe import transcribe_shard


@flow(
    name="curate",
    flow_run_name="{manifest.name} to {output.name}",
    task_runner=ThreadPoolTaskRunner(max_workers=4),
)
@taking(Curation)
def curate(settings: Curation) -> Report:
    """Manifest to shards, small pass, gate, large pass on the escalated, rules, dataset and report."""
    small = checkpoint.resolve(settings.small)
    large = checkpoint.resolve(settings.large) if settings.large else None
    run = ledger.open_run(settings, small, large)
    engine, gate, rules = unmapped(settings.engine), unmapped(settings.gate), unmapped(settings.filter)

    with open_devices(settings.devices) as pool:
        devices = unmapped(pool)
        manifest = split_manifest(settings.manifest, run, settings.shard_hours)

        heard = transcribe_shard.map(manifest.shards, "small", unmapped(small), engine, devices)
        scored = score_shard.map(heard, "small", settings.normalizer)
        passes = {"small": (small, heard)}

        if large:
            gated = gate_shard.map(scored, gate)
            heard = transcribe_shard.map(gated, "large", unmapped(large), engine, devices)
            scored = score_shard.map(heard, "large", settings.normalizer)
            passes["large"] = (large, heard)

        judged = judge_shard.map(scored, rules)
        published = publish_shard.map(judged, unmapped(manifest.fields))
        written = write_manifest.submit(judged, run)
        return report_run.submit(judged, manifest, passes, settings, run, wait_for=[published, written]).result()


if __name__ == "__main__":
    from flows.cli import main

    main(["curate", *sys.argv[1:]])
