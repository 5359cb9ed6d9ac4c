"""Curate: transcribe a manifest with a small model, the doubtful rest with a large one, and keep what agrees."""

import logging
import sys
from pathlib import Path

from prefect import flow

from flows.cascade import Cascade
from flows.finalize import finalize
from flows.judging import compares_utterances, judge_related
from flows.orchestrator import Future, Orchestrator, PrefectOrchestrator
from flows.pipeline import count_duplicates, open_pipeline
from flows.progress import Progress
from flows.run_name import run_name
from flows.segment import segment_recordings
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.plant import choose_sample_shares
from winnow.models.auto_select import resolve_models
from winnow.models.passes import judges_by_evidence, make_passes
from winnow.parameters.curation import Curation
from winnow.parameters.segment import Segment
from winnow.reports.summary import Report
from winnow.runs.command import command_of
from winnow.runs.ledger import name_of
from winnow.runs.storage import location
from winnow.segmenting.before_start import check_curation, of_segments
from winnow.validation.before_start import check_run
from winnow.validation.rules import rules_for

log = logging.getLogger("winnow")
log.setLevel(logging.INFO)  # each pass is logged, wherever the flow runs


@flow(name="curate", flow_run_name=run_name("{manifest} to {output}"))
@with_parameters(Curation)
def curate(settings: Curation) -> Report:
    """Transcribe a manifest with a cascade of models and keep what agrees with its references."""
    return run_curation(settings, PrefectOrchestrator())


def run_curation(settings: Curation, orchestrator: Orchestrator) -> Report:
    """Take a manifest in shards through the cascade and the rules; write the dataset and the report.

    Recordings are cut into segments first, if that is asked for.
    """
    command = command_of(settings)[1:]
    settings = resolve_models(settings)
    if settings.segment is not None:
        orchestrator.watch(location(settings.output), command)
        check_curation(settings)
        segments = segment_recordings(Segment.before(settings), orchestrator)
        log.info("%s: %s", settings.segment, segments.summary)
        settings = of_segments(settings)
    check_run(settings)
    rules, passes = rules_for(settings), make_passes(settings)
    with (
        open_pipeline(settings, rules, passes, orchestrator) as pipeline,
        Progress(pipeline.manifest, orchestrator.start_progress, ("small",)) as progress,
    ):
        loading = Step(lambda shard: [pipeline.load(shard)])
        by_evidence = judges_by_evidence(settings)
        if by_evidence or rules.needs_whole_run:
            stream(pipeline.manifest.shards, loading)
        loaded = loading.results()
        duplicates = count_duplicates(rules, loaded, settings.normalizer, orchestrator)
        shares = orchestrator.run(choose_sample_shares, loaded, settings) if by_evidence else None

        waits = compares_utterances(pipeline.measuring)

        def decide(shard: Path) -> Futures:
            is_scored = len(passes) == 1 or cascade.by_evidence
            scored = [] if is_scored else [pipeline.score(shard, passes[-1].role)]
            heard = pipeline.listen(scored[0] if scored else shard)
            before = [*scored, *heard]
            return before if waits else [*before, judge(before[-1] if before else shard, name_of(shard))]

        def judge(shard: Path | Future, name: str) -> Future:
            return pipeline.filter(shard, duplicates.get(name), cascade.calibration)

        cascade = Cascade(pipeline, settings, passes, progress, loaded, shares)
        decisions = Step(decide, on_result=[pipeline.quarantine_limit().add])
        cascade.run(decisions)
        judged = decisions.results()
        if waits:
            judged = judge_related(judged, pipeline.measuring, judge, orchestrator)
        return finalize(pipeline, judged, cascade.loaded, cascade.transcribed, cascade.gates, cascade.calibration)


if __name__ == "__main__":
    from cli.app import main

    main(["curate", *sys.argv[1:]])
