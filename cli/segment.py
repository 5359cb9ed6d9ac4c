"""Segments in a terminal: what the recordings were cut into, and what was left out."""

from cli.console import JsonFile, json_results, table_of
from cli.run import call, starting_prefect
from flows.server.monitor import raise_if_server_was_lost
from winnow.parameters.segment import Segment
from winnow.runs.storage import location
from winnow.segmenting.before_start import check_segmentation
from winnow.segmenting.record import MANIFEST


def segment(settings: Segment, json: JsonFile = None) -> None:
    """Run the flow `segment` and print what it wrote."""
    with json_results(json) as (console, write):
        check_segmentation(settings)
        with starting_prefect(hint=lambda: "the same command continues"):
            from flows.segment import segment

        report = call(segment, settings)
        console.print(table_of(report.table))
        console.print(f"\nsegments: {location(settings.output) / MANIFEST}", markup=False, soft_wrap=True)
        write(report.model_dump(mode="json"))
        raise_if_server_was_lost()
