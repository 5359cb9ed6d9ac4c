"""The command `verify`: whether an output keeps its promises."""

from dataclasses import asdict

from rich.text import Text

from cli.console import JsonFile, even_if_quiet, json_results
from winnow.export.record import is_export
from winnow.export.verify import verify_export
from winnow.runs.storage import location
from winnow.runs.store_errors import explain_store_errors
from winnow.runs.verify import verify_run
from winnow.segmenting.record import is_segmented
from winnow.segmenting.verify import verify_segmentation


def verify(output: str, json: JsonFile = None) -> bool:
    """Print whether each promise of a run's output holds; return True if all do."""
    with json_results(json) as (console, write):
        with explain_store_errors(run := location(output)):
            if is_segmented(run):
                checks = verify_segmentation(run)
            else:
                checks = verify_export(run) if is_export(run) else verify_run(run)
        for check in checks:
            if check.holds:
                console.print("[green]ok    [/]", Text(check.sentence))
            else:
                even_if_quiet(console).print("[red]FAILED[/]", Text(check.sentence))
        write([asdict(check) for check in checks])
    return all(check.holds for check in checks)
