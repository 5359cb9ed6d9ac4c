"""Refilter: apply other rules to the hypotheses of a finished run, without a device."""

import sys
from pathlib import Path

from prefect import flow

from flows.finalize import publish
from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.pipeline import count_duplicates
from flows.run_name import run_name
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.deduplicate import deduplicate_run
from tasks.filter import filter_shard
from tasks.report import report_refiltered_run
from winnow.parameters.maintenance import Refilter
from winnow.reports.summary import Report
from winnow.runs.ledger import name_of
from winnow.runs.reuse import input_digests, reuse_hypotheses, sharded_manifest
from winnow.runs.run_dir import open_run
from winnow.runs.run_record import load_settings
from winnow.runs.storage import location
from winnow.sweep.outcomes import run_stages
from winnow.validation.before_start import check_refilter
from winnow.validation.rules import phrase_digest, rules_for


@flow(name="refilter", flow_run_name=run_name("{run} to {output}"))
@with_parameters(Refilter)
def refilter(settings: Refilter) -> Report:
    """Apply other rules to a finished run; the hypotheses are reused, so nothing is transcribed."""
    return run_refilter(settings, PrefectOrchestrator())


def run_refilter(request: Refilter, orchestrator: Orchestrator) -> Report:
    """Make a new run in `output` from the hypotheses of the run in `run`."""
    check_refilter(request)
    original = location(request.run)
    settings = load_settings(original, request.filter).model_copy(update={"output": request.output})
    rules, stages = rules_for(settings), run_stages(original)
    digests = {name: sha256 for name, sha256 in input_digests(original).items() if name != "phrases"}
    digests |= phrase_digest(rules)
    with open_run(settings, digests, orchestrator.owner(), orchestrator.mark_crashed) as run:
        reuse_hypotheses(original, run)
        scored, loaded = ([run / file.relative_to(original) for file in stages[name]] for name in ("score", "load"))
        duplicates = count_duplicates(rules, loaded, settings.normalizer, orchestrator)

        def decide(shard: Path) -> Futures:
            return [orchestrator.submit(filter_shard, shard, rules, duplicates.get(name_of(shard)))]

        decisions = Step(decide)
        stream(scored, decisions)
        filtered = orchestrator.run(deduplicate_run, decisions.results())
        published = publish(filtered, loaded, run, orchestrator)
        result = filtered, published, sharded_manifest(run), original, settings, run
        return orchestrator.run(report_refiltered_run, *result, orchestrator)


if __name__ == "__main__":
    from cli.app import main

    main(["refilter", *sys.argv[1:]])
