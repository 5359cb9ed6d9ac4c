"""A benchmark as text: the table of accuracy and speed, the table of memory by batches, and what changed."""

from pathlib import Path

from tasks.reports.page import figure, inert, table
from tasks.trials.accuracy import METHOD, Rate
from tasks.trials.figures import Change, Figures, Measured, changes

SINCE = "## Since the last run"


def markdown(now: Figures, then: Figures | None) -> str:
    parts = [
        f"# Benchmark: {inert(Path(now.manifest).name)}",
        about(now),
        "## Accuracy and speed",
        accuracy_and_speed(now.rows),
        f"Errors over all that was said; {METHOD}. Speed with decoding of the audio, one reading after a short one to "
        "warm up.",
        "## Memory by batches",
        memory(now.rows),
        "The most that torch had of the GPU's memory, weights included; on a CPU, that the whole process had.",
        *since(now, then),
    ]
    return "\n\n".join(parts) + "\n"


def about(now: Figures) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in now.versions.items())
    unusable = ", ".join(f"{n:,} {reason}" for reason, n in now.unusable.items())
    said = f"**{now.utterances:,} utterances, {now.hours:.3f} h**, on {inert(now.device)}, {now.when}. {versions}."
    return f"{said} No utterance with a reference: {unusable}." if unusable else said


def accuracy_and_speed(rows: list[Measured]) -> str:
    header = ["Model", "Batch", "Precision", "WER", "CER", "x real time", "Utterances a second", "Load, s", "Unread"]
    return table(header, [[inert(short(row)), batch(row), *of(row)] for row in rows])


def of(row: Measured) -> list[str]:
    if row.failure or not row.accuracy:
        return [f"not measured: {inert(row.failure or '')}", "", "", "", "", "", ""]
    unread = ", ".join(f"{n:,} {reason}" for reason, n in row.unread.items())
    return [
        row.precision or "",
        interval(row.accuracy.wer),
        interval(row.accuracy.cer),
        figure(row.x_real_time, 1),
        figure(row.utterances_per_second, 1),
        figure(row.load_seconds, 1),
        unread,
    ]


def memory(rows: list[Measured]) -> str:
    """A row for each model, a column for each size of batches."""
    sizes = list(dict.fromkeys(row.batch for row in rows))
    models = list(dict.fromkeys((row.sha256, short(row)) for row in rows))
    peaks = {(row.sha256, row.batch): row.peak_bytes for row in rows}
    header = ["Model", *("own choice" if size is None else f"{size:g} s" for size in sizes)]
    return table(
        header, [[inert(name), *(gibibytes(peaks.get((sha, size))) for size in sizes)] for sha, name in models]
    )


def since(now: Figures, then: Figures | None) -> list[str]:
    """What changed since the last run of the same key."""
    if then is None:
        return []
    names = sorted(then.versions | now.versions)
    other = [f"{n} {then.versions.get(n)} then" for n in names if then.versions.get(n) != now.versions.get(n)]
    found = f"{then.when}, {', '.join(other) or 'with the same versions'}."
    rows = [[inert(Path(one.model).name), size(one.batch), one.figure, *shown(one)] for one in changes(then, now)]
    return [SINCE, found, table(["Model", "Batch", "", "Then", "Now", "Change"], rows)]


def shown(change: Change) -> list[str]:
    """Then, now, and the difference: of rates in points, of anything else in percent."""
    then, now = change.then, change.now
    if change.figure in ("WER", "CER"):
        return [f"{then:.2%}", f"{now:.2%}", f"{100 * (now - then):+.2f} points"]
    ratio = f"{now / then - 1:+.1%}" if then else ""
    if change.figure == "memory":
        return [gibibytes(then), gibibytes(now), ratio]
    return [f"{then:,.1f}", f"{now:,.1f}", ratio]


def interval(rate: Rate) -> str:
    if rate.rate is None or rate.low is None or rate.high is None:
        return ""
    return f"{rate.rate:.2%} ({rate.low:.2%} to {rate.high:.2%})"


def short(row: Measured) -> str:
    return Path(row.model).name


def batch(row: Measured) -> str:
    found = size(row.batch)
    return f"{found} ({row.batch_seconds:g} s)" if row.batch is None and row.batch_seconds else found


def size(batch: float | None) -> str:
    return "own choice" if batch is None else f"{batch:g} s"


def gibibytes(size: float | None) -> str:
    return "" if size is None else f"{size / 2**30:.2f} GiB"
