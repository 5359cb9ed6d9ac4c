"""Refilter: apply other rules to the hypotheses of a finished run, without a device."""

import sys

from prefect import flow

from flows.derived import open_derived
from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.with_parameters import with_parameters
from winnow.parameters.maintenance import Refilter
from winnow.reports.summary import Report
from winnow.runs.run_record import Derivation
from winnow.runs.storage import location
from winnow.sweep.outcomes import RELABEL
from winnow.validation.before_start import check_refilter, refilter_inputs, refilter_settings
from winnow.validation.rules import rules_for
from winnow.verdicts.carried import store_verdicts, verdicts_for


@flow(name="refilter", flow_run_name=run_name("{run} to {output}"))
@with_parameters(Refilter)
def refilter(settings: Refilter) -> Report:
    """Apply other rules to a finished run; the hypotheses are reused, so nothing is transcribed."""
    return run_refilter(settings, PrefectOrchestrator())


def run_refilter(request: Refilter, orchestrator: Orchestrator) -> Report:
    """Make a new run in `output` from the hypotheses of the run in `run`."""
    check_refilter(request)
    original = location(request.run)
    settings, verdicts = refilter_settings(request), verdicts_for(original, request.reviews, request.verdicts)
    inputs = refilter_inputs(request, rules_for(settings), verdicts)
    origin = Derivation(flow="refilter", run=str(original), reviews=request.reviews)
    with open_derived(origin, settings, inputs, orchestrator) as derived:
        scored, changed = derived.shards("score"), derived.shards(RELABEL)
        if verdicts:
            scored = changed = derived.review(scored, store_verdicts(derived.run, verdicts))
        return derived.judge(scored, changed)


if __name__ == "__main__":
    from cli.app import main

    main(["refilter", *sys.argv[1:]])
