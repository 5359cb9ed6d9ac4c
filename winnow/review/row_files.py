"""Dropped rows in a file that any program opens: CSV or JSON lines."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from winnow.errors import OptionError
from winnow.review.session import Session, state_of
from winnow.runs.storage import put

COLUMNS = (
    *("id", "audio_filepath", "offset", "duration", "reason", "doubt", "wer", "text", "pred_text", "proposal"),
    *("verdict", "edited", "reviewer", "at", "flagged"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def write_rows(session: Session, file: Path) -> int:
    """Write the dropped rows of a run in the order of the queue, with what people said of them; return how many."""
    if file.suffix not in (".csv", ".jsonl"):
        raise OptionError(f"--rows {file}: expected a name that ends in .csv or .jsonl")
    dropped = np.asarray(session.index.rows["decision"].to_pandas() == "drop")
    order = session.index.queue.order[dropped[session.index.queue.order]].tolist()
    found, said, rows = read_rows(session, order), session.standing(), []
    for index in order:
        row = found[index] | state_of(said.get(index))
        rows.append({name: row.get(name) for name in COLUMNS})
    put(file, as_csv(rows) if file.suffix == ".csv" else as_json_lines(rows))
    return len(rows)


def read_rows(session: Session, indexes: list[int]) -> dict[int, dict[str, Any]]:
    """Return rows by their indexes; each shard is read once, in whatever order its rows are."""
    by_shard: dict[str, dict[int, int]] = {}
    for index in indexes:
        by_shard.setdefault(session.index.shard_of(index), {})[session.index.rows["id"][index].as_py()] = index
    return {
        lines[row["id"]]: row
        for shard, lines in by_shard.items()
        for row in session.rows.some(shard, lines, COLUMNS).to_pylist()
    }


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as CSV for spreadsheets, in which no text is computed: it gets an apostrophe in front."""
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, COLUMNS)
    writer.writeheader()
    writer.writerows({name: inert(value) for name, value in row.items()} for row in rows)
    return sink.getvalue().encode("utf-8-sig")


def inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def as_json_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
