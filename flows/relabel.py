"""Relabel: put proposals in the place of wrong references of a finished run, without a device."""

import sys
from pathlib import Path

from prefect import flow

from flows.finalize import finalize_derived
from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.relabel import relabel_shard
from winnow.parameters.maintenance import Relabel
from winnow.reports.summary import Report
from winnow.runs.ledger import name_of
from winnow.runs.reuse import proposals_digest, reuse_hypotheses
from winnow.runs.run_dir import open_run
from winnow.runs.run_record import Derivation, load_settings, read_run_record
from winnow.runs.storage import location
from winnow.sweep.outcomes import run_stages
from winnow.validation.before_start import check_relabel


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
    stages = run_stages(original)
    judged = {name_of(file): file for file in stages["filter"]}
    inputs = read_run_record(original).sha256 | proposals_digest(original)
    derived = Derivation(flow="relabel", run=str(original))
    with open_run(settings, inputs, orchestrator.owner(), orchestrator.mark_crashed, derived=derived) as run:
        reuse_hypotheses(original, run)
        scored, loaded = ([run / file.relative_to(original) for file in stages[name]] for name in ("score", "load"))

        def submit(shard: Path) -> Futures:
            return [orchestrator.submit(relabel_shard, shard, judged[name_of(shard)], settings.comparison)]

        relabelled = Step(submit)
        stream(scored, relabelled)
        shards = relabelled.results()
        return finalize_derived(shards, loaded, original, settings, run, orchestrator, relabelled=shards)


if __name__ == "__main__":
    from cli.app import main

    main(["relabel", *sys.argv[1:]])
