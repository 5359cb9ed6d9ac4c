"""Refilter: other rules over the readings that a finished run keeps, without a device."""

import sys
from pathlib import Path

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import taking
from flows.stream import Futures, Step, stream
from flows.watch import bury, this_run
from tasks.count import repeats_for
from tasks.filter import judge_shard
from tasks.parameters.upkeep import Refilter
from tasks.publish import publish_shard, write_manifest
from tasks.read import gather_fields
from tasks.report import report_again
from tasks.reports.quality import Report
from tasks.rules.evidence import stages_of
from tasks.rules.needs import digests_for, rules_of
from tasks.runs.adopt import adopt, digests_of, manifest_of
from tasks.runs.ledger import name_of
from tasks.runs.output import asked_of, open_run
from tasks.runs.storage import location

QUICK = 4  # tasks at once


@flow(name="refilter", flow_run_name="{run} to {output}", task_runner=ThreadPoolTaskRunner())
@taking(Refilter)
def refilter(asked: Refilter) -> Report:
    """A run of its own in `output`, from the readings of `run`: what the large model did not read there stays so."""
    before = location(asked.run)
    settings = asked_of(before, asked.filter).model_copy(update={"output": asked.output})
    rules, stages = rules_of(settings), stages_of(before)
    digests = {name: found for name, found in digests_of(before).items() if name != "phrases"} | digests_for(rules)
    with open_run(settings, digests, this_run(), died=bury) as folder:
        adopt(before, folder)
        shards, read = ([folder / file.relative_to(before) for file in stages[name]] for name in ("scored", "shards"))
        repeats = repeats_for(rules, read, settings.normalizer)

        def decide(shard: Path) -> Futures:
            return [judge_shard.submit(shard, rules, repeats.get(name_of(shard)))]

        fields = gather_fields(read)
        decisions = Step(decide, lambda: QUICK)
        publication = Step(lambda shard: [publish_shard.submit(shard, fields)], lambda: QUICK)
        stream(shards, decisions, publication)
        write_manifest(decisions.results(), fields, folder)
        found: Report = report_again(
            decisions.results(), publication.results(), manifest_of(folder), before, settings, folder
        )
        return found


if __name__ == "__main__":
    from flows.cli import main

    main(["refilter", *sys.argv[1:]])
