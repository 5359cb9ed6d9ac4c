"""`winnow benchmark` in a terminal."""

from rich.markdown import Markdown
from rich.table import Table

from cli.console import JsonFile, json_results
from cli.run import call, starting_prefect
from winnow.benchmarking.accuracy import ErrorRate
from winnow.benchmarking.figures import BenchmarkFigures
from winnow.parameters.maintenance import Benchmark
from winnow.validation.before_start import check_benchmark


def benchmark(settings: Benchmark, json: JsonFile = None) -> None:
    """Run the flow and show its tables; raises `MeasurementFailed` after them if a model could not be measured."""
    from winnow.errors import MeasurementFailed

    failure = None
    with json_results(json) as (console, write):
        check_benchmark(settings)
        with starting_prefect(hint=lambda: "the same command starts the benchmark again"):
            from flows.benchmark import benchmark
        from winnow.benchmarking.comparison import CHANGES_HEADING

        try:
            figures: BenchmarkFigures = call(benchmark, settings)
        except MeasurementFailed as error:
            failure, figures = error, error.figures
        path = settings.output / f"{figures.key}.md"
        console.print(figures_table(figures))
        _, heading, changes = path.read_text().partition(CHANGES_HEADING)
        console.print(Markdown(heading + changes))
        console.print(f"{path}, {path.with_suffix('.json')}", markup=False, soft_wrap=True)
        write(figures.model_dump(mode="json"))
    if failure:
        raise failure


def figures_table(figures: BenchmarkFigures) -> Table:
    """Tabulate a benchmark for the terminal."""
    from winnow.benchmarking.comparison import batch_size, short_name
    from winnow.reports.formatting import format_amount, format_gibibytes, format_number

    table = Table(box=None, pad_edge=False)
    priced = any(row.per_1000_hours for row in figures.rows)
    headings = ["model", "batch", "WER", "95%", "CER", "95%", "RTFx", "load, s", "memory"]
    for heading in [*headings, *(["cost of 1,000 h"] if priced else [])]:
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=heading != "model")
    for row in figures.rows:
        if row.accuracy is None:
            table.add_row(short_name(row), batch_size(row.batch), "not measured")
            continue
        rates = [text for rate in (row.accuracy.wer, row.accuracy.cer) for text in rate_and_interval(rate)]
        speed = [format_number(row.rtfx, 1), format_number(row.load_seconds, 1), format_gibibytes(row.peak_bytes, 2)]
        cost = [format_amount(row.per_1000_hours)] if row.per_1000_hours else []
        table.add_row(short_name(row), batch_size(row.batch), *rates, *speed, *cost)
    return table


def rate_and_interval(error_rate: ErrorRate) -> tuple[str, str]:
    """Return an error rate and its interval in percent; nothing if it is unknown."""
    if error_rate.rate is None or error_rate.low is None or error_rate.high is None:
        return "", ""
    return f"{error_rate.rate:.1%}", f"{100 * error_rate.low:.1f}–{100 * error_rate.high:.1f}"
