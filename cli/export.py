"""Export in a terminal: what was written, part by part, and what was left out."""

from rich.table import Table

from cli.console import JsonFile, errors, json_results
from cli.run import call, start
from winnow.export.before_start import check_export
from winnow.export.record import ExportReport
from winnow.imports import without_gc
from winnow.parameters.export import Export
from winnow.runs.storage import location


def export(settings: Export, json: JsonFile = None) -> None:
    """Run the flow `export` and print what it wrote."""
    with json_results(json) as (console, write):
        check_export(settings)
        with without_gc():
            start(hint=lambda: "the same command continues")
            from flows.export import export

        report = call(export, settings)
        console.print(parts_table(report))
        for sentence in report.remarks:
            errors.print(f"winnow: {sentence}", markup=False, soft_wrap=True)
        console.print(f"\nexport: {location(settings.output)}", markup=False, soft_wrap=True)
        write(report.model_dump(mode="json"))


def parts_table(report: ExportReport) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in report.table[0]:
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for row in report.table:
        table.add_row(*row.values())
    return table
