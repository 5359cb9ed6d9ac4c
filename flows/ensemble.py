"""Ensemble: several models read a manifest, their readings are put to the vote, and what they agree on is kept."""

import logging
import sys
from pathlib import Path
from typing import Any

from prefect import flow

from flows.finalize import LIGHT_TASKS, finalize
from flows.progress import Progress
from flows.server.monitor import current_flow_run, mark_crashed, watch_server
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.combine import combine_shard
from tasks.duplicates import duplicates_for
from tasks.filter import filter_shard
from tasks.load import load_shard
from tasks.score import score_shard
from tasks.shard import shard_manifest
from tasks.transcribe import transcribe_shard
from winnow.corpora.registry import open_source
from winnow.devices.executors import Executor, open_executor
from winnow.errors import OptionError
from winnow.models.passes import Pass
from winnow.models.resolve import resolve
from winnow.parameters.ensemble import Ensemble
from winnow.reports.summary import Report
from winnow.roles import ENSEMBLE
from winnow.runs.ledger import name_of
from winnow.runs.quarantine_limit import QuarantineLimit
from winnow.runs.run_dir import open_run
from winnow.validation.engine_options import check_options
from winnow.validation.rules import phrase_digest, rules_for

logging.getLogger("winnow").setLevel(logging.INFO)  # wherever the flow runs, its log says how the passes go


@flow(name="ensemble", flow_run_name="{manifest.name} to {output}")
@with_parameters(Ensemble)
def ensemble(settings: Ensemble) -> Report:
    """Manifest to shards, their rows, a pass of each model, the vote, rules, dataset and report."""
    rules, readers = rules_for(settings), make_passes(settings)
    digests = {"manifest": open_source(settings.manifest).digest()} | phrase_digest(rules)
    digests |= {reader.role: reader.checkpoint.sha256 for reader in readers}

    with open_run(settings, digests, current_flow_run(), died=mark_crashed) as run, open_executor(settings) as devices:
        watch_server(run)
        folder = settings.relative_to or settings.audio_root
        manifest = shard_manifest(settings.manifest, run, settings.shard_hours, folder, referenced=False)
        progress = Progress(manifest, times=len(readers))

        rows = Step(lambda shard: [load_shard.submit(shard, referenced=False)], lambda: LIGHT_TASKS)
        stream(manifest.shards, rows)
        shards, passes = rows.results(), {}
        repeats = duplicates_for(rules, shards, settings.normalizer)
        for reader in readers:
            quarantine = QuarantineLimit(manifest.lines - manifest.blank, settings.max_quarantined)
            one_pass = transcription_step(reader, devices, settings)
            one_pass.done += [quarantine.take, progress.read]
            stream(shards, one_pass)
            shards = one_pass.results()
            passes[reader.role] = reader.checkpoints, one_pass.results(0)

        def vote(shard: Path) -> Futures:
            roles = [reader.role for reader in readers]
            how = settings.method, settings.rover.weights, settings.normalizer
            combined: Any = combine_shard.submit(shard, roles, *how)
            scored: Any = score_shard.submit(combined, ENSEMBLE, settings.normalizer, referenced=False)
            return [combined, scored, filter_shard.submit(scored, rules, repeats.get(name_of(shard)))]

        votes = Step(vote, lambda: LIGHT_TASKS)
        stream(shards, votes)
        return finalize(votes.results(), rows.results(), manifest, passes, settings, run)


def make_passes(settings: Ensemble) -> list[Pass]:
    """A pass for each model, in the order in which they are named; two that are one and the same are refused."""
    checkpoints = [resolve(name, settings.trust_unpinned) for name in settings.models]
    digests = [checkpoint.sha256 for checkpoint in checkpoints]
    for number, checkpoint in enumerate(checkpoints):
        if checkpoint.sha256 in digests[:number]:
            raise OptionError(f"models: {checkpoint.name} is there twice, and would have two votes")
    check_options(settings.engine, checkpoints)
    how = {"options": settings.engine, "root": settings.audio_root, "placement": settings.models_placement}
    return [Pass(role=f"model{n}", checkpoint=checkpoint, **how) for n, checkpoint in enumerate(checkpoints, 1)]


def transcription_step(reader: Pass, devices: Executor, settings: Ensemble) -> Step:
    """A model reads shards, and its readings are compared with references where there are some."""

    def listen(shard: Path) -> Futures:
        readings: Any = transcribe_shard.submit(shard, reader, devices)
        return [readings, score_shard.submit(readings, reader.role, settings.normalizer, referenced=False)]

    return Step(listen, lambda: devices.slots(reader.placement) + 1)


if __name__ == "__main__":
    from cli.app import main

    main(["ensemble", *sys.argv[1:]])
