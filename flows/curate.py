"""Curate: transcribe a manifest with a small model, the doubtful rest with a large one, and keep what agrees."""

import logging
import sys
from pathlib import Path
from typing import Any

from prefect import flow

from flows.cascade import Cascade
from flows.finalize import LIGHT_TASKS, finalize
from flows.progress import Progress
from flows.server.monitor import current_flow_run, mark_crashed, watch_server
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.duplicates import duplicates_for
from tasks.filter import filter_shard
from tasks.load import load_shard
from tasks.shard import shard_manifest
from winnow.corpora.registry import open_source
from winnow.devices.executors import open_executor
from winnow.models.auto_select import resolve_models
from winnow.models.passes import make_passes
from winnow.parameters.curation import Curation
from winnow.reports.summary import Report
from winnow.runs.ledger import name_of
from winnow.runs.quarantine_limit import QuarantineLimit
from winnow.runs.run_dir import open_run
from winnow.validation.engine_options import check_options
from winnow.validation.rules import phrase_digest, rules_for

logging.getLogger("winnow").setLevel(logging.INFO)  # wherever the flow runs, its log says how the passes go


@flow(name="curate", flow_run_name="{manifest.name} to {output}")
@with_parameters(Curation)
def curate(settings: Curation) -> Report:
    """Manifest to shards, their rows, the cascade of models, rules, dataset and report."""
    settings = resolve_models(settings)
    rules, passes = rules_for(settings), make_passes(settings)
    digests = {"manifest": open_source(settings.manifest).digest(), "large": None} | phrase_digest(rules)
    for reader in passes:
        digests |= reader.digests
    check_options(settings.engine, [checkpoint for reader in passes for checkpoint in reader.checkpoints])

    with open_run(settings, digests, current_flow_run(), died=mark_crashed) as run, open_executor(settings) as devices:
        watch_server(run)
        folder = settings.relative_to or settings.audio_root
        manifest = shard_manifest(settings.manifest, run, settings.shard_hours, folder, settings.referenced)
        utterances = manifest.lines - manifest.blank
        heard, judged = (QuarantineLimit(utterances, settings.max_quarantined) for _ in range(2))
        cascade = Cascade(passes, settings, devices, Progress(manifest), heard)

        repeats: dict[str, Path] = {}
        if rules.needs_whole_run:
            texts = Step(lambda shard: [load_shard.submit(shard, settings.referenced)], lambda: LIGHT_TASKS)
            stream(manifest.shards, texts)
            repeats = duplicates_for(rules, texts.results(), settings.normalizer)

        def decide(shard: Path) -> Futures:
            scored = [cascade.score(shard, reader.role) for reader in passes[1:][-1:]]
            rows: Any = scored[0] if scored else shard
            return [*scored, filter_shard.submit(rows, rules, repeats.get(name_of(shard)))]

        decisions = Step(decide, lambda: LIGHT_TASKS, done=[judged.take])
        cascade.read(manifest.shards, decisions)
        return finalize(decisions.results(), cascade.rows, manifest, cascade.read_by, settings, run, cascade.gates)


if __name__ == "__main__":
    from cli.app import main

    main(["curate", *sys.argv[1:]])
