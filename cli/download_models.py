"""`winnow download-models` in a terminal."""

from typing import TYPE_CHECKING

from rich.table import Table

from cli.console import JsonFile, json_results
from cli.progress import progress_bars
from cli.run import call, starting_prefect
from winnow.errors import DownloadFailed
from winnow.parameters.maintenance import DownloadModels

if TYPE_CHECKING:  # it imports Prefect, which reads its settings then
    from winnow.models.download import DownloadedModel


def download_models(settings: DownloadModels, json: JsonFile) -> None:
    """Run the flow and show the outcome and the pin of each model; raises DownloadFailed if one failed."""
    with json_results(json) as (console, write):
        rows, problem = run(settings)
        console.print(table(rows))
        for row in rows:
            if row.pin:
                console.print(f"pinned: {row.pin}", markup=False, soft_wrap=True)
        write([row.model_dump() | {"pin": row.pin} for row in rows])
    if problem:
        raise problem


def run(settings: DownloadModels) -> "tuple[list[DownloadedModel], DownloadFailed | None]":
    """Run the flow; return the outcome of each model, and the error if one failed."""
    with starting_prefect(hint=lambda: "resume with the same command"):
        from flows.download_models import download_models

    problem = None
    with progress_bars():
        try:
            rows: list[DownloadedModel] = call(download_models, settings)
        except DownloadFailed as error:
            problem, rows = error, error.models
    return rows, problem


def table(rows: "list[DownloadedModel]") -> Table:
    shown = Table(box=None, pad_edge=False)
    cause = ["cause"] if any(row.cause for row in rows) else []
    for heading in ("model", "state", "MB", "sha256", "seconds", *cause):
        shown.add_column(heading, justify="right" if heading in ("MB", "seconds") else "left", overflow="fold")
    for row in rows:
        size = "" if row.bytes is None else f"{row.bytes / 1e6:,.1f}"
        digest = f"{row.sha256[:12]}…" if row.sha256 else ""
        shown.add_row(row.model, row.state, size, digest, f"{row.seconds:,.1f}", *([row.cause or ""] if cause else []))
    return shown
