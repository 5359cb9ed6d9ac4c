"""Export: a finished run becomes data that a trainer reads at once."""

import sys

from prefect import flow

from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.streaming import Step, stream
from flows.with_parameters import with_parameters
from tasks.divide import divide_run
from tasks.finish import finish_export
from tasks.pack import pack_shard
from tasks.push import push_dataset
from winnow.export.before_start import check_export
from winnow.export.divide import input_digests_of
from winnow.export.export_dir import open_export
from winnow.export.pack import packing_of
from winnow.export.record import ExportReport
from winnow.parameters.export import Export
from winnow.runs.command import command_of
from winnow.runs.storage import location

SHARDS_AT_ONCE = 2  # each uses all cores; while one is written, the other is encoded


@flow(name="export", flow_run_name=run_name("{run} to {output}"))
@with_parameters(Export)
def export(settings: Export) -> ExportReport:
    """Write the kept utterances of a finished run, with their audio, in a form that trainers read."""
    return run_export(settings, PrefectOrchestrator())


def run_export(settings: Export, orchestrator: Orchestrator) -> ExportReport:
    """Divide the rows into shards, pack each, and finish what needs all of them."""
    check_export(settings)
    orchestrator.watch(None if settings.push else location(settings.output), command_of(settings)[1:])
    owner = orchestrator.owner(), orchestrator.mark_crashed
    with open_export(settings, input_digests_of(settings), *owner) as output:
        packing = packing_of(output, settings)
        division = orchestrator.run(divide_run, output, packing)
        packed = Step(lambda planned: [orchestrator.submit(pack_shard, planned, packing)], lambda: SHARDS_AT_ONCE)
        stream(division.shards, packed)
        report = orchestrator.run(finish_export, output, division, packed.results(), packing)
        description = f"What was exported to {output}. {'. '.join(report.remarks)}"
        orchestrator.table(report.table, key="export", description=description)
        if settings.push:
            orchestrator.run(push_dataset, output, settings.push)
        return report


if __name__ == "__main__":
    from cli.app import main

    main(["export", *sys.argv[1:]])
