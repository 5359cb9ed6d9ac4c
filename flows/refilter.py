"""Refilter: other rules over the readings that a finished run keeps, without a device."""

import sys
from pathlib import Path

from prefect import flow

from flows.server.monitor import current_flow_run, mark_crashed
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.duplicates import duplicates_for
from tasks.filter import filter_shard
from tasks.load import gather_fields
from tasks.publish import publish_shard, write_manifest
from tasks.report import report_refiltered_run
from winnow.parameters.maintenance import Refilter
from winnow.reports.summary import Report
from winnow.runs.ledger import name_of
from winnow.runs.reuse import input_digests, reuse_hypotheses, sharded_manifest
from winnow.runs.run_dir import load_settings, open_run
from winnow.runs.storage import location
from winnow.sweep.outcomes import run_stages
from winnow.validation.rules import phrase_digest, rules_for

LIGHT_TASKS = 4  # tasks at once


@flow(name="refilter", flow_run_name="{run} to {output}")
@with_parameters(Refilter)
def refilter(asked: Refilter) -> Report:
    """A run of its own in `output`, from the readings of `run`: what the large model did not read there stays so."""
    before = location(asked.run)
    settings = load_settings(before, asked.filter).model_copy(update={"output": asked.output})
    rules, stages = rules_for(settings), run_stages(before)
    digests = {name: found for name, found in input_digests(before).items() if name != "phrases"} | phrase_digest(rules)
    with open_run(settings, digests, current_flow_run(), died=mark_crashed) as folder:
        reuse_hypotheses(before, folder)
        shards, read = ([folder / file.relative_to(before) for file in stages[name]] for name in ("score", "load"))
        repeats = duplicates_for(rules, read, settings.normalizer)

        def decide(shard: Path) -> Futures:
            return [filter_shard.submit(shard, rules, repeats.get(name_of(shard)))]

        fields = gather_fields(read)
        decisions = Step(decide, lambda: LIGHT_TASKS)
        publication = Step(lambda shard: [publish_shard.submit(shard, fields)], lambda: LIGHT_TASKS)
        stream(shards, decisions, publication)
        write_manifest(decisions.results(), fields, folder)
        found: Report = report_refiltered_run(
            decisions.results(), publication.results(), sharded_manifest(folder), before, settings, folder
        )
        return found


if __name__ == "__main__":
    from cli.app import main

    main(["refilter", *sys.argv[1:]])
