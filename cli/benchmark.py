"""`winnow benchmark` in a terminal."""

from rich.markdown import Markdown
from rich.table import Table

from cli.console import console
from cli.run import start
from winnow.benchmarking.accuracy import Rate
from winnow.benchmarking.figures import Figures
from winnow.parameters.maintenance import Benchmark


def benchmark(settings: Benchmark) -> None:
    """Run the flow, show its tables, and raise if a model was not measured."""
    start(None, again="a benchmark begins anew")
    from flows.benchmark import benchmark
    from winnow.benchmarking.comparison import SINCE
    from winnow.errors import MeasurementFailed

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


def figures_table(figures: "Figures") -> Table:
    from winnow.benchmarking.comparison import batch_size, gibibytes, short_name
    from winnow.reports.formatting import format_number

    shown = Table(box=None, pad_edge=False)
    for heading in ("model", "batch", "WER", "95 %", "CER", "95 %", "RTFx", "load, s", "memory"):
        shown.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=heading != "model")
    for row in figures.rows:
        if row.accuracy is None:
            shown.add_row(short_name(row), batch_size(row.batch), "not measured")
            continue
        rates = [text for rate in (row.accuracy.wer, row.accuracy.cer) for text in percentages(rate)]
        speed = [format_number(row.rtfx, 1), format_number(row.load_seconds, 1), gibibytes(row.peak_bytes)]
        shown.add_row(short_name(row), batch_size(row.batch), *rates, *speed)
    return shown


def percentages(rate: "Rate") -> tuple[str, str]:
    if rate.rate is None or rate.low is None or rate.high is None:
        return "", ""
    return f"{rate.rate:.1%}", f"{100 * rate.low:.1f}–{100 * rate.high:.1f}"
