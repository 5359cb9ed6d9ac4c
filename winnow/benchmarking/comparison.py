"""A benchmark as text: the table of accuracy and speed, the table of memory by batches, and what changed."""

from pathlib import Path

from winnow.benchmarking.accuracy import METHOD, Rate
from winnow.benchmarking.figures import Change, Figures, ModelFigures, changes
from winnow.reports.formatting import escape_markdown, format_number, markdown_table

SINCE = "## Since the last run"


def render_benchmark(now: Figures, then: Figures | None) -> str:
    parts = [
        f"# Benchmark: {escape_markdown(Path(now.manifest).name)}",
        headline(now),
        "## Accuracy and speed",
        accuracy_and_speed(now.rows),
        f"Errors over all that was said; {METHOD}. Speed with decoding of the audio, one reading after a short one to "
        "warm up.",
        "## Memory by batches",
        memory_table(now.rows),
        "The most that torch had of the GPU's memory, weights included; on a CPU, that the whole process had.",
        *changes_since(now, then),
    ]
    return "\n\n".join(parts) + "\n"


def headline(now: Figures) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in now.versions.items())
    unusable = ", ".join(f"{n:,} {reason}" for reason, n in now.unusable.items())
    device = escape_markdown(now.device)
    said = f"**{now.utterances:,} utterances, {now.hours:.3f} h**, on {device}, {now.when}. {versions}."
    return f"{said} No utterance with a reference: {unusable}." if unusable else said


def accuracy_and_speed(rows: list[ModelFigures]) -> str:
    header = ["Model", "Batch", "Precision", "WER", "CER", "RTFx", "Utterances a second", "Load, s", "Unread"]
    return markdown_table(
        header, [[escape_markdown(short_name(row)), batch_used(row), *row_cells(row)] for row in rows]
    )


def row_cells(row: ModelFigures) -> list[str]:
    if row.failure or not row.accuracy:
        return [f"not measured: {escape_markdown(row.failure or '')}", "", "", "", "", "", ""]
    unread = ", ".join(f"{n:,} {reason}" for reason, n in row.unread.items())
    return [
        row.precision or "",
        format_interval(row.accuracy.wer),
        format_interval(row.accuracy.cer),
        format_number(row.rtfx, 1),
        format_number(row.utterances_per_second, 1),
        format_number(row.load_seconds, 1),
        unread,
    ]


def memory_table(rows: list[ModelFigures]) -> str:
    """A row for each model, a column for each size of batches."""
    sizes = list(dict.fromkeys(row.batch for row in rows))
    models = list(dict.fromkeys((row.sha256, short_name(row)) for row in rows))
    peaks = {(row.sha256, row.batch): row.peak_bytes for row in rows}
    header = ["Model", *("own choice" if size is None else f"{size:g} s" for size in sizes)]
    return markdown_table(
        header,
        [[escape_markdown(name), *(gibibytes(peaks.get((sha, size))) for size in sizes)] for sha, name in models],
    )


def changes_since(now: Figures, then: Figures | None) -> list[str]:
    """What changed since the last run of the same key."""
    if then is None:
        return []
    names = sorted(then.versions | now.versions)
    other = [f"{n} {then.versions.get(n)} then" for n in names if then.versions.get(n) != now.versions.get(n)]
    found = f"{then.when}, {', '.join(other) or 'with the same versions'}."
    rows = [
        [escape_markdown(Path(one.model).name), batch_size(one.batch), one.figure, *format_change(one)]
        for one in changes(then, now)
    ]
    return [SINCE, found, markdown_table(["Model", "Batch", "", "Then", "Now", "Change"], rows)]


def format_change(change: Change) -> list[str]:
    """Then, now, and the difference: of rates in points, of anything else in percent."""
    then, now = change.then, change.now
    if change.figure in ("WER", "CER"):
        return [f"{then:.2%}", f"{now:.2%}", f"{100 * (now - then):+.2f} points"]
    ratio = f"{now / then - 1:+.1%}" if then else ""
    if change.figure == "memory":
        return [gibibytes(then), gibibytes(now), ratio]
    return [f"{then:,.1f}", f"{now:,.1f}", ratio]


def format_interval(rate: Rate) -> str:
    if rate.rate is None or rate.low is None or rate.high is None:
        return ""
    return f"{rate.rate:.2%} ({rate.low:.2%} to {rate.high:.2%})"


def short_name(row: ModelFigures) -> str:
    return Path(row.model).name


def batch_used(row: ModelFigures) -> str:
    found = batch_size(row.batch)
    return f"{found} ({row.batch_seconds:g} s)" if row.batch is None and row.batch_seconds else found


def batch_size(batch: float | None) -> str:
    return "own choice" if batch is None else f"{batch:g} s"


def gibibytes(size: float | None) -> str:
    return "" if size is None else f"{size / 2**30:.2f} GiB"
