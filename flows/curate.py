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
from tasks.checkpoint import check_options, resolve
from tasks.config import Curation
from tasks.count import count_texts
from tasks.devices import open_devices
from tasks.filter import judge_shard
from tasks.ledger import key_of, name_of
from tasks.manifest import digest, split_manifest
from tasks.needs import rules_of
from tasks.output import open_run
from tasks.publish import publish_shard, write_manifest
from tasks.quality import Report
from tasks.quarantine import Quarantine
from tasks.read import gather_fields, read_shard
from tasks.report import report_run
from tasks.score import score_shard
from tasks.transcribe import Pass, transcribe_shard, transcribe_shards

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
    digests = {"manifest": digest(settings.manifest)}
    rules = rules_of(settings)
    digests |= {"phrases": key_of(rules.phrases)} if rules.phrases else {}
    small = resolve(settings.small, settings.trust_unpinned)
    large = resolve(settings.large, settings.trust_unpinned) if settings.large else None
    check_options(settings.engine, [small, large] if large else [small])
    digests |= {"small": small.sha256, "large": large and large.sha256}
    how = {"options": settings.engine, "root": settings.audio_root}
    first = Pass(role="small", checkpoint=small, on=settings.small_on, **how)
    second = Pass(role="large", checkpoint=large, on=settings.large_on, **how) if large else None

    with open_run(settings, digests, this_run(), died=bury) as run, open_devices(settings) as devices:
        watch(run)
        folder = settings.relative_to or settings.audio_root
        manifest = split_manifest(settings.manifest, run, settings.shard_hours, folder)
        utterances = manifest.lines - manifest.blank
        heard, judged = (Quarantine(utterances, settings.max_quarantined) for _ in range(2))
        progress = Progress(manifest, cascade=second is not None)

        def read(shard: Path) -> Futures:
            return [read_shard.submit(shard)]

        repeats: dict[str, Path] = {}
        if rules.over_the_run:
            stream(manifest.shards, texts := Step(read, lambda: QUICK))
            repeats = {name_of(file): file for file in count_texts(texts.results(), settings.normalizer)}

        def listen(shard: Path) -> Futures:
            rows = read_shard.submit(shard)
            readings = transcribe_shard.submit(rows, first, devices)
            scored = score_shard.submit(readings, "small", settings.normalizer)
            return [rows, readings, scored, *([gate_shard.submit(scored, settings.bands)] if second else [])]

        def listen_again(shards: list[Path]) -> Futures:
            return [transcribe_shards.submit(shards, second, devices)]

        def decide(shard: Path) -> Futures:
            scored = [score_shard.submit(shard, "large", settings.normalizer)] if second else []
            return [*scored, judge_shard.submit(*(scored or [shard]), rules, repeats.get(name_of(shard)))]

        small_pass = Step(listen, lambda: devices.slots(first.on) + 1, done=[heard.take, progress.small])
        large_pass = Step(listen_again, lambda: devices.slots(second.on) + 1, done=[progress.large])
        decisions = Step(decide, lambda: QUICK, done=[judged.take])
        if second:
            small_pass.gather = Gathered(settings.shard_hours * 3600)
            stream(manifest.shards, small_pass, large_pass, decisions)
        else:
            stream(manifest.shards, small_pass, decisions)

        fields = gather_fields(small_pass.results(0))
        publication = Step(lambda shard: [publish_shard.submit(shard, fields)], lambda: QUICK)
        stream(decisions.results(), publication)
        write_manifest(decisions.results(), fields, run)
        passes = {"small": (small, small_pass.results(1))} | ({"large": (large, large_pass.results())} if large else {})
        return report_run(decisions.results(), publication.results(), manifest, passes, settings, run)


if __name__ == "__main__":
    from flows.cli import main

    main(["curate", *sys.argv[1:]])
