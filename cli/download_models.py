"""Warm-up and benchmark as one sees them in a terminal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markdown import Markdown
from rich.table import Table

from cli.run import console, progress, start
from winnow.parameters.maintenance import Benchmark, DownloadModels

if TYPE_CHECKING:  # it imports Prefect, which reads its settings then
    from tasks.download import DownloadedModel
    from winnow.benchmarking.accuracy import Rate
    from winnow.benchmarking.figures import Figures


def download_models(settings: DownloadModels, file: Path | None) -> None:
    """Run the flow, show what became of each model and how to pin it, and raise if one is not ready."""
    start(None, again="the same command goes on from here")
    from flows.download_models import download_models
    from tasks.download import DownloadFailed

    problem = None
    with progress():
        try:
            rows: list[DownloadedModel] = download_models(
                **{name: getattr(settings, name) for name in DownloadModels.model_fields}
            )
        except DownloadFailed as error:
            problem, rows = error, error.models
    console.print(table(rows))
    for row in rows:
        if row.pin:
            console.print(f"pinned: {row.pin}", markup=False, soft_wrap=True)
    if file:
        file.write_text(json.dumps([row.model_dump() | {"pin": row.pin} for row in rows], indent=2) + "\n")
    if problem:
        raise problem


def benchmark(settings: Benchmark) -> None:
    """Run the flow, show its tables, and raise if a model was not measured."""
    start(None, again="a benchmark begins anew")
    from flows.benchmark import benchmark
    from winnow.benchmarking.comparison import SINCE
    from winnow.benchmarking.figures import MeasurementFailed

    problem = None
    try:
        figures: Figures = benchmark(**{name: getattr(settings, name) for name in Benchmark.model_fields})
    except MeasurementFailed as error:
        problem, figures = error, error.figures
    path = settings.output / f"{figures.key}.md"
    console.print(figures_table(figures))
    _, since, changes = path.read_text().partition(SINCE)
    console.print(Markdown(since + changes))
    console.print(f"{path}, {path.with_suffix('.json')}", markup=False, soft_wrap=True)
    if problem:
        raise problem


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


def figures_table(figures: "Figures") -> Table:
    from winnow.benchmarking.comparison import batch_size, gibibytes, short_name
    from winnow.reports.render import format_number

    shown = Table(box=None, pad_edge=False)
    for heading in ("model", "batch", "WER", "95 %", "CER", "95 %", "RTFx", "load, s", "memory"):
        shown.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=heading != "model")
    for row in figures.rows:
        if row.accuracy is None:
            shown.add_row(short_name(row), batch_size(row.batch), "not measured")
            continue
        rates = [text for rate in (row.accuracy.wer, row.accuracy.cer) for text in percentages(rate)]
        speed = [format_number(row.x_real_time, 1), format_number(row.load_seconds, 1), gibibytes(row.peak_bytes)]
        shown.add_row(short_name(row), batch_size(row.batch), *rates, *speed)
    return shown


def percentages(rate: "Rate") -> tuple[str, str]:
    if rate.rate is None or rate.low is None or rate.high is None:
        return "", ""
    return f"{rate.rate:.1%}", f"{100 * rate.low:.1f}–{100 * rate.high:.1f}"
