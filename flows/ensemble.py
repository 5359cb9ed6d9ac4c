"""Ensemble: several models read a manifest, their readings are put to the vote, and what they agree on is kept."""

import logging
import sys
from pathlib import Path

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import taking
from flows.progress import Progress
from flows.publication import QUICK, publish
from flows.stream import Futures, Step, stream
from flows.watch import bury, this_run, watch
from tasks.checkpoints.checkpoint import check_options, resolve
from tasks.count import repeats_for
from tasks.devices.places import Devices, open_devices
from tasks.engine.passes import Pass
from tasks.ensemble import combine_shard
from tasks.filter import judge_shard
from tasks.manifest import digest, split_manifest
from tasks.parameters.ensemble import ENSEMBLE, Ensemble
from tasks.parameters.options import BadOption
from tasks.read import read_shard
from tasks.reports.quality import Report
from tasks.rules.needs import digests_for, rules_of
from tasks.runs.ledger import name_of
from tasks.runs.output import open_run
from tasks.runs.quarantine import Quarantine
from tasks.score import score_shard
from tasks.transcribe import transcribe_shard

logging.getLogger("winnow").setLevel(logging.INFO)  # wherever the flow runs, its log says how the passes go


@flow(
    name="ensemble",
    flow_run_name="{manifest.name} to {output}",
    task_runner=ThreadPoolTaskRunner(),  # a step of the stream says how much of it runs at once
)
@taking(Ensemble)
def ensemble(settings: Ensemble) -> Report:
    """Manifest to shards, their rows, a pass of each model, the vote, rules, dataset and report."""
    rules, readers = rules_of(settings), panel(settings)
    digests = {"manifest": digest(settings.manifest)} | digests_for(rules)
    digests |= {reader.role: reader.checkpoint.sha256 for reader in readers}

    with open_run(settings, digests, this_run(), died=bury) as run, open_devices(settings) as devices:
        watch(run)
        folder = settings.relative_to or settings.audio_root
        manifest = split_manifest(settings.manifest, run, settings.shard_hours, folder, referenced=False)
        progress = Progress(manifest, times=len(readers))

        rows = Step(lambda shard: [read_shard.submit(shard, referenced=False)], lambda: QUICK)
        stream(manifest.shards, rows)
        shards, passes = rows.results(), {}
        repeats = repeats_for(rules, shards, settings.normalizer)
        for reader in readers:
            quarantine = Quarantine(manifest.lines - manifest.blank, settings.max_quarantined)
            one_pass = listening(reader, devices, settings)
            one_pass.done += [quarantine.take, progress.read]
            stream(shards, one_pass)
            shards = one_pass.results()
            passes[reader.role] = reader.checkpoints, one_pass.results(0)

        def vote(shard: Path) -> Futures:
            roles = [reader.role for reader in readers]
            combined = combine_shard.submit(shard, roles, settings.method, settings.rover, settings.normalizer)
            scored = score_shard.submit(combined, ENSEMBLE, settings.normalizer, referenced=False)
            return [combined, scored, judge_shard.submit(scored, rules, repeats.get(name_of(shard)))]

        votes = Step(vote, lambda: QUICK)
        stream(shards, votes)
        return publish(votes.results(), rows.results(), manifest, passes, settings, run)


def panel(settings: Ensemble) -> list[Pass]:
    """A pass for each model, in the order in which they are named; two that are one and the same are refused."""
    checkpoints = [resolve(name, settings.trust_unpinned) for name in settings.models]
    digests = [checkpoint.sha256 for checkpoint in checkpoints]
    for number, checkpoint in enumerate(checkpoints):
        if checkpoint.sha256 in digests[:number]:
            raise BadOption(f"models: {checkpoint.name} is there twice, and would have two votes")
    check_options(settings.engine, checkpoints)
    how = {"options": settings.engine, "root": settings.audio_root, "on": settings.models_on}
    return [Pass(role=f"model{n}", checkpoint=checkpoint, **how) for n, checkpoint in enumerate(checkpoints, 1)]


def listening(reader: Pass, devices: Devices, settings: Ensemble) -> Step:
    """A model reads shards, and its readings are compared with references where there are some."""

    def listen(shard: Path) -> Futures:
        readings = transcribe_shard.submit(shard, reader, devices)
        return [readings, score_shard.submit(readings, reader.role, settings.normalizer, referenced=False)]

    return Step(listen, lambda: devices.slots(reader.on) + 1)


if __name__ == "__main__":
    from flows.cli import main

    main(["ensemble", *sys.argv[1:]])
