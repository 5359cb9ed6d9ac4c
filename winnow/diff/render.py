"""A difference as markdown: for Prefect's UI and, as an HTML page, for people."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow.diff.changes import CAUSES, Change
from winnow.diff.difference import Difference, Part
from winnow.diff.settings_changes import SettingChange
from winnow.diff.shifts import EVERYTHING, Shift
from winnow.reports.formatting import code_span, escape_markdown, format_hours, format_number, markdown_table

MOST_ROWS = 25  # of a table

MOST_OF_ALL = 0.95  # of all rows: a slice with more of them says the same as all

MOST_NAMED = 3  # settings of the headline
SHORT = 24  # characters of a value in the headline

MEASURES = {"kept": "share kept", "wer": "WER", "doubt": "mean doubt"}


def render_difference(difference: Difference) -> str:
    """Render a difference in GitHub's markdown; texts from manifests and models are shown literally."""
    names = [escape_markdown(Path(totals.run).name) for totals in (difference.before, difference.after)]
    parts = [f"# {names[1]} compared with {names[0]}", headline(difference), totals_table(difference)]
    parts += settings_section(difference)
    parts += changes_section(difference)
    parts += shifts_section(difference)
    return "\n\n".join(parts) + "\n"


def headline(difference: Difference) -> str:
    """Say in a few sentences what changed, mostly why, and which settings differ."""
    before, after = difference.before, difference.after
    now, then = format_hours(after.kept_hours), format_hours(before.kept_hours)
    hours = f"**{now} h kept instead of {then} h**"
    changed = sum(change.rows for change in difference.changes)
    parts = [f"{hours} ({signed(after.kept_hours - before.kept_hours, 3 if after.kept_hours < 1 else 2)} h)."]
    parts.append(f"{difference.matched:,} rows are in both runs, and {changed:,} of them are decided otherwise.")
    if difference.changes:
        causes = {cause: sum(change.rows for change in difference.changes if change.cause == cause) for cause in CAUSES}
        cause = max(causes, key=lambda name: causes[name])
        parts.append(f"Why, in {causes[cause]:,} of them: {CAUSES[cause]}.")
    for label, part in (("are only in the first run", difference.only_before), ("are new", difference.only_after)):
        if part.rows:
            parts.append(f"{part.rows:,} rows {label} ({kept_of(part)}).")
    if difference.settings:
        shown = [setting_change(change) for change in difference.settings[:MOST_NAMED]]
        rest = len(difference.settings) - len(shown)
        parts.append(f"Settings that differ: {', '.join([*shown, *([f'and {rest:,} more'] if rest else [])])}.")
    return " ".join(parts)


def setting_change(change: SettingChange) -> str:
    """Name a setting, with its values if they are short."""
    values = [shown_value(value) or "none" for value in (change.before, change.after)]
    short = max(map(len, values)) <= SHORT
    return code_span(change.name) + (f" ({values[0]} → {values[1]})" if short else "")


def kept_of(part: Part) -> str:
    return f"{part.hours:.2f} h, of which {part.kept_hours:.2f} h are kept"


def totals_table(difference: Difference) -> str:
    """Tabulate the figures of both runs."""
    before, after = difference.before, difference.after
    labels = {
        "utterances": ("utterances", 0),
        "kept": ("kept", 0),
        "dropped": ("dropped", 0),
        "quarantined": ("quarantined", 0),
        "kept_hours": ("hours kept", 3),
        "dropped_hours": ("hours dropped", 3),
        "wer": ("WER of what is kept", 4),
    }
    rows = []
    for name, (label, digits) in labels.items():
        old, new = getattr(before, name), getattr(after, name)
        change = "" if None in (old, new) else signed(new - old, digits)
        rows.append([label, format_number(old, digits), format_number(new, digits), change])
    return markdown_table(["", "before", "after", "change"], rows)


def changes_section(difference: Difference) -> Iterator[str]:
    """Yield the table of decisions that changed, and examples of each kind."""
    if not difference.changes:
        return
    yield "## Decided otherwise"
    shown = difference.changes[:MOST_ROWS]
    rows = [
        [f"{change.before} → {change.after}", code_span(change.reason), change.cause, *size_of(change)]
        for change in shown
    ]
    yield markdown_table(["decision", "reason", "cause", "rows", "hours"], rows) + more(difference.changes)
    causes = {change.cause for change in shown}
    yield "\n".join(f"- {cause}: {words}" for cause, words in CAUSES.items() if cause in causes)
    yield markdown_table(
        ["lines", "decision", "reference", "hypothesis"],
        [
            [
                both(*map(str, example.lines)),
                f"{change.before} → {change.after}",
                *(both(*map(escape_markdown, texts)) for texts in (example.reference, example.hypothesis)),
            ]
            for change in shown
            for example in change.examples
        ][:MOST_ROWS],
    )


def size_of(change: Change) -> list[str]:
    return [f"{change.rows:,}", f"{change.hours:.3f}"]


def both(before: str, after: str) -> str:
    """Return a text once if it is the same in both runs."""
    return before if before == after else f"{before} → {after}"


def shifts_section(difference: Difference) -> Iterator[str]:
    """Yield the tables of measures over everything, and over the slices that certainly changed."""
    if not difference.shifts:
        return
    yield "## By slice"
    yield (
        "The rows that both runs have, compared row by row, with 95 % confidence intervals of the change."
        if difference.paired
        else "All rows of each run, since few are in both, with 95 % confidence intervals of the change."
    )
    whole = [shift for shift in difference.shifts if shift.slice == EVERYTHING]
    most = MOST_OF_ALL * max(shift.rows for shift in whole) if whole else 0
    certain = [shift for shift in difference.shifts if shift not in whole and shift.is_certain and shift.rows < most]
    rows = [shift_row(shift) for shift in (*whole, *certain[:MOST_ROWS])]
    yield markdown_table(["slice", "measure", "rows", "before", "after", "change"], rows) + more(certain)


def shift_row(shift: Shift) -> list[str]:
    name = EVERYTHING if shift.slice == EVERYTHING else f"{code_span(shift.slice)}: {escape_markdown(shift.value)}"
    digits = 2 if shift.measure == "doubt" else 3
    change = f"{signed(shift.change, digits)} ({signed(shift.low, digits)} to {signed(shift.high, digits)})"
    values = [format_number(value, digits) for value in (shift.before, shift.after)]
    return [name, MEASURES[shift.measure], f"{shift.rows:,}", *values, change]


def settings_section(difference: Difference) -> Iterator[str]:
    """Yield the table of parameters, models and versions that differ."""
    if difference.settings:
        yield "## Settings"
        rows = [
            [change.kind, code_span(change.name), *(shown_value(value) for value in (change.before, change.after))]
            for change in difference.settings
        ]
        yield markdown_table(["", "name", "before", "after"], rows)


def shown_value(value: Any) -> str:
    return "" if value is None else escape_markdown(str(value))


def more(rows: list[Any]) -> str:
    return f"\n\nand {len(rows) - MOST_ROWS:,} more" if len(rows) > MOST_ROWS else ""


def signed(value: float, digits: int) -> str:
    """Return a change with its sign."""
    return f"{value:+,.{digits}f}"
