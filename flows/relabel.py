"""Relabel: put proposals in the place of wrong references of a finished run, without a device."""

import sys
from pathlib import Path

from prefect import flow

from flows.derived import open_derived
from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.relabel import relabel_shard
from winnow.parameters.maintenance import Relabel
from winnow.reports.summary import Report
from winnow.runs.ledger import name_of
from winnow.runs.run_record import Derivation, load_settings
from winnow.runs.storage import location
from winnow.validation.before_start import check_relabel, relabel_inputs
from winnow.verdicts.carried import store_verdicts, verdicts_for


@flow(name="relabel", flow_run_name=run_name("{run} to {output}"))
@with_parameters(Relabel)
def relabel(settings: Relabel) -> Report:
    """Give dropped rows with a proposal this text, and judge them again by the same rules, in a new run."""
    return run_relabel(settings, PrefectOrchestrator())


def run_relabel(request: Relabel, orchestrator: Orchestrator) -> Report:
    """Make a new run in `output` from the hypotheses and the proposals of the run in `run`."""
    check_relabel(request)
    original = location(request.run)
    settings = load_settings(original).model_copy(update={"output": request.output})
    verdicts = verdicts_for(original, request.reviews, request.verdicts)
    origin = Derivation(flow="relabel", run=str(original), reviews=request.reviews)
    with open_derived(origin, settings, relabel_inputs(original, verdicts), orchestrator) as derived:
        reviews = store_verdicts(derived.run, verdicts) if verdicts else None
        judged = {name_of(file): file for file in derived.stages["filter"]}

        def submit(shard: Path) -> Futures:
            return [orchestrator.submit(relabel_shard, shard, judged[name_of(shard)], settings.comparison, reviews)]

        relabelled = Step(submit)
        stream(derived.shards("score"), relabelled)
        shards = relabelled.results()
        if reviews:
            shards = derived.review(shards, reviews)
        return derived.judge(shards, relabelled=shards)


if __name__ == "__main__":
    from cli.app import main

    main(["relabel", *sys.argv[1:]])
