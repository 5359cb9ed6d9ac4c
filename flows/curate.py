"""Curate: transcribe a manifest with a small model, the doubtful rest with a large one, and keep what agrees."""

import logging
import sys
from pathlib import Path

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import taking
from flows.progress import Progress
from flows.stream import Futures, Step, stream
from flows.watch import bury, this_run, watch
from tasks.cascade import Gathered, gate_shard
from tasks.checkpoint import check_options
from tasks.config import Curation
from tasks.devices import open_devices
from tasks.filter import judge_shard
from tasks.manifest import digest, split_manifest
from tasks.output import open_run
from tasks.passes import pass_of
from tasks.publish import publish_shard, write_manifest
from tasks.quality import Report
from tasks.quarantine import Quarantine
from tasks.read import gather_fields, read_shard
from tasks.report import report_run
from tasks.score import score_shard
from tasks.transcribe import transcribe_shard, transcribe_shards
from tasks.wishes import settled

logging.getLogger("winnow").setLevel(logging.INFO)  # wherever the flow runs, its log says how the passes go


QUICK = 4  # tasks without a model that run at once


@flow(
    name="curate",
    flow_run_name="{manifest.name} to {output}",
    task_runner=ThreadPoolTaskRunner(),  # a step of the stream says how much of it runs at once
)
@taking(Curation)
def curate(settings: Curation) -> Report:
    """Manifest to shards, their rows, small pass, gate, large pass on the escalated, rules, dataset and report."""
    settings = settled(settings)
    digests: dict[str, str | None] = {"manifest": digest(settings.manifest), "large": None}
    first = pass_of("small", settings)
    second = pass_of("large", settings) if settings.large else None
    for reader in filter(None, (first, second)):
        digests |= reader.digests
    check_options(settings.engine, [*first.checkpoints, *(second.checkpoints if second else [])])

    with open_run(settings, digests, this_run(), died=bury) as run, open_devices(settings) as devices:
        watch(run)
        folder = settings.relative_to or settings.audio_root
        manifest = split_manifest(settings.manifest, run, settings.shard_hours, folder)
        utterances = manifest.lines - manifest.blank
        heard, judged = (Quarantine(utterances, settings.max_quarantined) for _ in range(2))
        progress = Progress(manifest, cascade=second is not None)

        def listen(shard: Path) -> Futures:
            rows = read_shard.submit(shard)
            readings = transcribe_shard.submit(rows, first, devices)
            scored = score_shard.submit(readings, "small", settings.normalizer)
            gated = [gate_shard.submit(scored, settings.bands, second.unread)] if second else []
            return [rows, readings, scored, *gated]

        def listen_again(shards: list[Path]) -> Futures:
            return [transcribe_shards.submit(shards, second, devices)]

        def decide(shard: Path) -> Futures:
            scored = [score_shard.submit(shard, "large", settings.normalizer)] if second else []
            return [*scored, judge_shard.submit(*(scored or [shard]), settings.filter)]

        small_pass = Step(listen, lambda: devices.slots(first.on) + 1, done=[heard.take, progress.small])
        large_pass = Step(listen_again, lambda: devices.slots(second.on) + 1, done=[progress.large])
        rules = Step(decide, lambda: QUICK, done=[judged.take])
        if second:
            small_pass.gather = Gathered(settings.shard_hours * 3600)
            stream(manifest.shards, small_pass, large_pass, rules)
        else:
            stream(manifest.shards, small_pass, rules)

        fields = gather_fields(small_pass.results(0))
        publication = Step(lambda shard: [publish_shard.submit(shard, fields)], lambda: QUICK)
        stream(rules.results(), publication)
        write_manifest(rules.results(), fields, run)
        passes = {"small": (first.checkpoints, small_pass.results(1))}
        if second:
            passes["large"] = (second.checkpoints, large_pass.results())
        return report_run(rules.results(), publication.results(), manifest, passes, settings, run)


if __name__ == "__main__":
    from flows.cli import main

    main(["curate", *sys.argv[1:]])
