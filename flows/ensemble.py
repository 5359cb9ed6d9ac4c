"""Ensemble: several models transcribe a manifest, vote on each utterance, and what they agree on is kept."""

import logging
import sys
from functools import partial
from pathlib import Path

from prefect import flow

from flows.finalize import finalize
from flows.judging import compares_utterances, judge_related
from flows.orchestrator import Future, Orchestrator, PrefectOrchestrator
from flows.pipeline import Pipeline, count_duplicates, open_pipeline
from flows.progress import Progress
from flows.run_name import run_name
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.combine import combine_shard
from winnow.errors import OptionError
from winnow.models.passes import Pass
from winnow.models.resolve import resolve_all
from winnow.parameters.ensemble import Ensemble
from winnow.reports.summary import Report
from winnow.reports.throughput import Passes
from winnow.roles import ENSEMBLE
from winnow.runs.ledger import name_of
from winnow.validation.before_start import check_run
from winnow.validation.rules import rules_for

logging.getLogger("winnow").setLevel(logging.INFO)  # each pass is logged, wherever the flow runs


@flow(name="ensemble", flow_run_name=run_name("{manifest} to {output}"))
@with_parameters(Ensemble)
def ensemble(settings: Ensemble) -> Report:
    """Transcribe a manifest with several models, let them vote, and keep what they agree on."""
    return run_ensemble(settings, PrefectOrchestrator())


def run_ensemble(settings: Ensemble, orchestrator: Orchestrator) -> Report:
    """Take a manifest in shards through a pass of each model, the vote and the rules; write dataset and report."""
    check_run(settings)
    rules, model_passes = rules_for(settings), make_passes(settings)
    roles = tuple(model_pass.role for model_pass in model_passes)
    with (
        open_pipeline(settings, rules, model_passes, orchestrator) as pipeline,
        Progress(pipeline.manifest, orchestrator.start_progress, roles) as progress,
    ):
        loading = Step(lambda shard: [pipeline.load(shard)])
        stream(pipeline.manifest.shards, loading)
        shards = loaded = loading.results()
        duplicates = count_duplicates(rules, loaded, settings.normalizer, orchestrator)

        passes: Passes = {}
        for model_pass in model_passes:
            transcription = transcription_step(pipeline, model_pass)
            transcription.on_result += [
                pipeline.quarantine_limit().add,
                partial(progress.transcribed, model_pass.role),
                pipeline.cost_estimate(model_pass, reads_all=True).add,
            ]
            stream(shards, transcription)
            shards = transcription.results()
            passes[model_pass.role] = model_pass.checkpoints, transcription.results(0)

        def vote(shard: Path) -> Futures:
            votes = list(roles), settings.method, settings.rover.weights
            combined = orchestrator.submit(combine_shard, shard, *votes, settings.comparison)
            scored = pipeline.score(combined, ENSEMBLE)
            heard = pipeline.listen(scored)
            before = [combined, scored, *heard]
            return before if waits else [*before, judge(before[-1], name_of(shard))]

        def judge(shard: Path | Future, name: str) -> Future:
            return pipeline.filter(shard, duplicates.get(name))

        waits, decisions = compares_utterances(pipeline.measuring), Step(vote)
        stream(shards, decisions)
        judged = decisions.results()
        if waits:
            judged = judge_related(judged, pipeline.measuring, judge, orchestrator)
        return finalize(pipeline, judged, loaded, passes)


def make_passes(settings: Ensemble) -> list[Pass]:
    """Return a pass for each model in the order of their names; the same model twice is refused."""
    resolved = resolve_all(settings.models, settings.trust_unpinned)
    checkpoints = [resolved[name] for name in settings.models]
    digests = [checkpoint.sha256 for checkpoint in checkpoints]
    for number, checkpoint in enumerate(checkpoints):
        if checkpoint.sha256 in digests[:number]:
            raise OptionError(f"models: {checkpoint.name} is listed twice, and would have two votes: name it once")
    how = {
        "options": settings.engine,
        "comparison": settings.comparison,
        "root": settings.audio_root,
        "audio": settings.audio,
        "placement": settings.models_placement,
    }
    return [Pass(role=f"model{n}", checkpoint=checkpoint, **how) for n, checkpoint in enumerate(checkpoints, 1)]


def transcription_step(pipeline: Pipeline, model_pass: Pass) -> Step:
    """Transcribe shards with a model and compare its hypotheses with the references, where there are any."""

    def submit(shard: Path) -> Futures:
        hypotheses = pipeline.transcribe(shard, model_pass)
        return [hypotheses, pipeline.score(hypotheses, model_pass.role)]

    return Step(submit, lambda: pipeline.slots(model_pass))


if __name__ == "__main__":
    from cli.app import main

    main(["ensemble", *sys.argv[1:]])
