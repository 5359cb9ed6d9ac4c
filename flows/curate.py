"""Curate: transcribe a manifest with a small model, the doubtful rest with a large one, and keep what agrees."""

import logging
import sys
from pathlib import Path

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.cascade import Cascade
from flows.parameters import taking
from flows.progress import Progress
from flows.publication import QUICK, publish
from flows.stream import Futures, Step, stream
from flows.watch import bury, this_run, watch
from tasks.checkpoints.checkpoint import check_options
from tasks.count import repeats_for
from tasks.devices.places import open_devices
from tasks.engine.passes import passes_of
from tasks.filter import judge_shard
from tasks.manifest import digest, split_manifest
from tasks.models.wishes import settled
from tasks.parameters.curation import Curation
from tasks.read import read_shard
from tasks.reports.quality import Report
from tasks.rules.needs import digests_for, rules_of
from tasks.runs.ledger import name_of
from tasks.runs.output import open_run
from tasks.runs.quarantine import Quarantine

logging.getLogger("winnow").setLevel(logging.INFO)  # wherever the flow runs, its log says how the passes go


@flow(
    name="curate",
    flow_run_name="{manifest.name} to {output}",
    task_runner=ThreadPoolTaskRunner(),  # a step of the stream says how much of it runs at once
)
@taking(Curation)
def curate(settings: Curation) -> Report:
    """Manifest to shards, their rows, the cascade of models, rules, dataset and report."""
    settings = settled(settings)
    rules, passes = rules_of(settings), passes_of(settings)
    digests = {"manifest": digest(settings.manifest), "large": None} | digests_for(rules)
    for reader in passes:
        digests |= reader.digests
    check_options(settings.engine, [checkpoint for reader in passes for checkpoint in reader.checkpoints])

    with open_run(settings, digests, this_run(), died=bury) as run, open_devices(settings) as devices:
        watch(run)
        folder = settings.relative_to or settings.audio_root
        manifest = split_manifest(settings.manifest, run, settings.shard_hours, folder, settings.referenced)
        utterances = manifest.lines - manifest.blank
        heard, judged = (Quarantine(utterances, settings.max_quarantined) for _ in range(2))
        cascade = Cascade(passes, settings, devices, Progress(manifest), heard)

        repeats: dict[str, Path] = {}
        if rules.over_the_run:
            texts = Step(lambda shard: [read_shard.submit(shard, settings.referenced)], lambda: QUICK)
            stream(manifest.shards, texts)
            repeats = repeats_for(rules, texts.results(), settings.normalizer)

        def decide(shard: Path) -> Futures:
            scored = [cascade.score(shard, reader.role) for reader in passes[1:][-1:]]
            return [*scored, judge_shard.submit(*(scored or [shard]), rules, repeats.get(name_of(shard)))]

        decisions = Step(decide, lambda: QUICK, done=[judged.take])
        cascade.read(manifest.shards, decisions)
        return publish(decisions.results(), cascade.rows, manifest, cascade.read_by, settings, run, cascade.gates)


if __name__ == "__main__":
    from flows.cli import main

    main(["curate", *sys.argv[1:]])
