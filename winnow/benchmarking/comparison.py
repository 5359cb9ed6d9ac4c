"""A benchmark as markdown: accuracy and speed, memory by batch size, and changes since the previous benchmark."""

from pathlib import Path

from winnow.benchmarking.accuracy import METHOD, ErrorRate
from winnow.benchmarking.figures import BenchmarkFigures, Change, ModelFigures, changes
from winnow.reports.formatting import (
    escape_markdown,
    format_amount,
    format_gibibytes,
    format_number,
    format_percent,
    markdown_table,
)

CHANGES_HEADING = "## Changes since the previous benchmark"


def render_benchmark(now: BenchmarkFigures, before: BenchmarkFigures | None) -> str:
    """Return the benchmark as markdown, compared with the previous one if there is one."""
    parts = [
        f"# Benchmark: {escape_markdown(Path(now.manifest).name)}",
        headline(now),
        "## Accuracy and speed",
        accuracy_and_speed(now.rows),
        f"WER and CER: all errors divided by the length of all references; {METHOD}. Speed includes decoding the "
        "audio and is measured once, after a short warm-up.",
        "## Memory by batch size",
        memory_table(now.rows),
        "Peak GPU memory of torch, including the weights; on a CPU, peak memory of the whole process.",
        *changes_since(now, before),
    ]
    return "\n\n".join(parts) + "\n"


def headline(now: BenchmarkFigures) -> str:
    """Summarize what was measured, where, when and with which versions."""
    versions = ", ".join(f"{name} {version}" for name, version in now.versions.items())
    device = escape_markdown(now.device)
    sample = f"**{now.utterances:,} utterances, {now.hours:.3f} h**, on {device}, {now.when}. {versions}."
    unusable = ", ".join(f"{count:,} {reason}" for reason, count in now.unusable.items())
    return f"{sample} Lines without a usable reference: {unusable}." if unusable else sample


def accuracy_and_speed(rows: list[ModelFigures]) -> str:
    """Tabulate accuracy, throughput and load time."""
    header = ["Model", "Batch", "Precision", "WER", "CER", "RTFx", "Utterances per second", "Load time, s"]
    cells = [[escape_markdown(short_name(row)), batch_used(row), *row_cells(row)] for row in rows]
    if any(row.per_1000_hours for row in rows):
        header.append("Cost of 1,000 hours")
        for row, line in zip(rows, cells, strict=True):
            line.insert(-1, format_amount(row.per_1000_hours) if row.per_1000_hours else "")
    return markdown_table([*header, "Quarantined"], cells)


def row_cells(row: ModelFigures) -> list[str]:
    if row.failure or not row.accuracy:
        return [f"not measured: {escape_markdown(row.failure or '')}", "", "", "", "", "", ""]
    return [
        row.precision or "",
        format_error_rate(row.accuracy.wer),
        format_error_rate(row.accuracy.cer),
        format_number(row.rtfx, 1),
        format_number(row.utterances_per_second, 1),
        format_number(row.load_seconds, 1),
        ", ".join(f"{count:,} {reason}" for reason, count in row.quarantined.items()),
    ]


def memory_table(rows: list[ModelFigures]) -> str:
    """Tabulate peak memory, a row for each model and a column for each batch size."""
    sizes = list(dict.fromkeys(row.batch for row in rows))
    models = list(dict.fromkeys((row.sha256, short_name(row)) for row in rows))
    peaks = {(row.sha256, row.batch): row.peak_bytes for row in rows}
    cells = [
        [escape_markdown(name), *(format_gibibytes(peaks.get((sha256, size)), 2) for size in sizes)]
        for sha256, name in models
    ]
    return markdown_table(["Model", *map(batch_size, sizes)], cells)


def changes_since(now: BenchmarkFigures, before: BenchmarkFigures | None) -> list[str]:
    """Return the section on changes since the previous benchmark with the same key; nothing if there is none."""
    if before is None:
        return []
    names = sorted(before.versions | now.versions)
    changed = [
        f"{name} {before.versions.get(name)}" for name in names if before.versions.get(name) != now.versions.get(name)
    ]
    previous = f"Previous: {before.when}, with {', '.join(changed) or 'the same versions'}."
    cells = [
        [escape_markdown(Path(change.model).name), batch_size(change.batch), change.figure, *format_change(change)]
        for change in changes(before, now)
    ]
    return [CHANGES_HEADING, previous, markdown_table(["Model", "Batch", "Figure", "Before", "Now", "Change"], cells)]


def format_change(change: Change) -> list[str]:
    """Return the figure before and now with the difference: error rates in percentage points, others in percent."""
    before, now = change.before, change.now
    if change.figure in ("WER", "CER"):
        return [format_percent(before, 2), format_percent(now, 2), f"{100 * (now - before):+.2f} points"]
    ratio = f"{now / before - 1:+.1%}" if before else ""
    if change.figure == "memory":
        return [format_gibibytes(before, 2), format_gibibytes(now, 2), ratio]
    return [format_number(before, 1), format_number(now, 1), ratio]


def format_error_rate(error_rate: ErrorRate) -> str:
    """Return an error rate with its interval; nothing if it is unknown."""
    if error_rate.rate is None:
        return ""
    low, high = format_percent(error_rate.low, 2), format_percent(error_rate.high, 2)
    return f"{format_percent(error_rate.rate, 2)} ({low} to {high})"


def short_name(row: ModelFigures) -> str:
    """Return the last part of the model's name or path."""
    return Path(row.model).name


def batch_used(row: ModelFigures) -> str:
    """Return the requested batch size, with the one in use if the engine chose it."""
    requested = batch_size(row.batch)
    return f"{requested} ({row.batch_seconds:g} s)" if row.batch is None and row.batch_seconds else requested


def batch_size(seconds: float | None) -> str:
    """Return a requested batch size in words."""
    return "automatic" if seconds is None else f"{seconds:g} s"
