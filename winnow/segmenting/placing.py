"""Place the text of recordings in their parts."""

from collections import defaultdict

import pyarrow as pa

from winnow.schema import select_columns
from winnow.segmenting.parts import PLACED, UNPLACED, Part


def place_texts(parts: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return the parts (PLACED) with the text of their recordings: as nothing was read, all of it is unplaced."""
    rows: dict[int, list[Part]] = defaultdict(list)
    for part in select_columns(parts, PLACED).to_pylist():
        rows[part["id"]].append(part)
    placed = [part for row in recordings.to_pylist() for part in place_text(row, rows[row["id"]])]
    return pa.Table.from_pylist(placed, PLACED)


def place_text(row: Part, parts: list[Part]) -> list[Part]:
    """Return the parts of a recording, and its text as a part that has no place in the audio."""
    if not (row["text"] or "").split():
        return parts
    unread = parts[0]["reason"] if parts and parts[0]["start_ms"] is None else None
    place = {"offset": None, "duration": None, "first_word": 0}
    return [*parts, row | place | {"part": UNPLACED, "reason": unread or "NOT_ALIGNED"}]
