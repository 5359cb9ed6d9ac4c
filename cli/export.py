"""Export in a terminal: what was written, part by part, and what was left out."""

from cli.console import JsonFile, errors, json_results, table_of
from cli.run import call, starting_prefect
from flows.server.monitor import raise_if_server_was_lost
from winnow.export.before_start import check_export
from winnow.parameters.export import Export
from winnow.runs.storage import location


def export(settings: Export, json: JsonFile = None) -> None:
    """Run the flow `export` and print what it wrote."""
    with json_results(json) as (console, write):
        check_export(settings)
        with starting_prefect(hint=lambda: "the same command continues"):
            from flows.export import export

        report = call(export, settings)
        console.print(table_of(report.table))
        for sentence in report.remarks:
            errors.print(f"winnow: {sentence}", markup=False, soft_wrap=True)
        console.print(f"\nexport: {location(settings.output)}", markup=False, soft_wrap=True)
        write(report.model_dump(mode="json"))
        raise_if_server_was_lost()
