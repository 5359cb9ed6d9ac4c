"""Refilter: apply other rules to the hypotheses of a finished run, without a device."""

import sys

from prefect import flow

from flows.derived import open_derived
from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.with_parameters import with_parameters
from winnow.parameters.maintenance import Refilter
from winnow.reports.summary import Report
from winnow.runs.reuse import input_digests
from winnow.runs.storage import location
from winnow.sweep.outcomes import RELABEL
from winnow.validation.before_start import check_refilter, refilter_settings
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
    settings = refilter_settings(request)
    digests = {name: sha256 for name, sha256 in input_digests(original).items() if name != "phrases"}
    digests |= phrase_digest(rules_for(settings))
    with open_derived("refilter", original, settings, digests, orchestrator) as derived:
        return derived.judge(derived.shards("score"), derived.shards(RELABEL))


if __name__ == "__main__":
    from cli.app import main

    main(["refilter", *sys.argv[1:]])
