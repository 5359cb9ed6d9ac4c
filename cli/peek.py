"""Print what a corpus looks like."""

from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.table import Table

from cli.console import json_results
from winnow.corpora.peek import Peek, peek
from winnow.corpora.registry import open_source
from winnow.errors import OptionError
from winnow.parameters.column_names import parse_columns
from winnow.schema import MENDINGS, QUARANTINE_REASONS

LONGEST_ROW = 300  # characters of a first row


def show(corpus: str, folder: str | None, references: bool, columns: str, rows: int, json: list[Path] | None) -> None:
    """Print what the first rows of a corpus say."""
    try:
        parse_columns(columns)
    except ValueError as error:
        raise OptionError(f"--columns: {error}") from None
    with json_results(json) as (console, write):
        found = peek(open_source(corpus, folder, references, columns), rows)
        console.print(summary(found))
        console.print(fields_table(found))
        for number, row in enumerate(found.first, 1):
            text = msgspec.json.encode(row).decode()
            shown = text if len(text) <= LONGEST_ROW else f"{text[:LONGEST_ROW]}…"
            console.print(f"row {number}: {shown}", markup=False, soft_wrap=True)
        write(asdict(found))


def summary(found: Peek) -> Table:
    """Return what there is, and what would be quarantined or mended."""
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = f"{found.rows:,}" if found.complete else f"the first {found.rows:,}"
    table.add_row("form", found.form)
    table.add_row("rows", rows)
    table.add_row("hours", f"{found.hours:,.2f}, stated by {found.with_duration:,} rows")
    languages = ", ".join(f"{name} ({count:,})" for name, count in found.languages.items())
    table.add_row("languages", languages or "not stated")
    table.add_row("audio files", f"{found.missing:,} of {found.examined:,} that were looked for are missing")
    for reason, count in found.reasons.items():
        table.add_row("quarantined", f"{count:,} {reason}: {QUARANTINE_REASONS[reason]}")
    for mending, count in found.mended.items():
        table.add_row("mended", f"{count:,} {mending}: {MENDINGS[mending]}")
    return table


def fields_table(found: Peek) -> Table:
    """Return the fields, their types and how many rows have them."""
    table = Table(box=None, pad_edge=False)
    for heading in ("field", "type", "rows that have it"):
        table.add_column(heading)
    for name, (kind, share) in found.fields.items():
        table.add_row(name, kind, f"{share:.0%}")
    return table
