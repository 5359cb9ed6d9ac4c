"""What a corpus looks like, before anything is done with it."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from winnow.audio.find_missing import find_missing
from winnow.corpora.field_types import FieldTypes, infer_types, merge_types
from winnow.corpora.source import Source
from winnow.corpora.utterance import COLUMN_FIELDS, Row
from winnow.text.languages import row_language

FIRST_ROWS = 3
MOST_FILES = 200  # that are looked for, evenly spread over the rows


@dataclass(frozen=True)
class Peek:
    """What the first rows of a corpus say; `complete` tells whether they are all of it.

    `hours` is the audio that rows state, `with_duration` how many do. `fields` has the type of each field and the share
    of rows that have it. `reasons` counts the rows that would be quarantined without a look at their audio, `mended`
    those that are badly written but readable. Of `examined` audio files, spread over the rows, `missing` do not exist.
    """

    form: str
    complete: bool
    rows: int = 0
    with_duration: int = 0
    hours: float = 0.0
    languages: dict[str, int] = field(default_factory=dict)
    fields: dict[str, tuple[str, float]] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    examined: int = 0
    missing: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)


def peek(source: Source, most: int) -> Peek:
    """Read at most so many rows, in bounded memory. Raises ManifestError if the corpus cannot be read."""
    source.check()
    seen = Counted()
    rows = iter(source.scan())
    for row in islice(rows, most):
        seen.add(row)
    complete = next(rows, None) is None
    audio = find_missing(seen.paths[:: max(1, len(seen.paths) // MOST_FILES)][:MOST_FILES])
    return Peek(
        form=source.form,
        complete=complete,
        rows=seen.rows,
        with_duration=seen.with_duration,
        hours=seen.seconds / 3600,
        languages=dict(seen.languages.most_common()),
        fields={name: (kind or "null", seen.present[name] / seen.rows) for name, kind in seen.types.items()},
        reasons=dict(seen.reasons.most_common()),
        mended=dict(seen.mended.most_common()),
        examined=audio.examined,
        missing=len(audio.missing),
        first=seen.first,
    )


class Counted:
    """Counts over rows."""

    def __init__(self) -> None:
        self.rows = self.with_duration = 0
        self.seconds = 0.0
        self.types: FieldTypes = {}
        self.languages: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.mended: Counter[str] = Counter()
        self.first: list[dict[str, Any]] = []
        self.paths: list[str] = []

    def add(self, row: Row) -> None:
        """Count a row."""
        stated = {name: row[name] for name in COLUMN_FIELDS if row.get(name) is not None}
        fields = stated | msgspec.json.decode(row.get("fields") or "{}")
        self.rows += 1
        self.with_duration += row.get("duration") is not None
        self.seconds += row.get("duration") or 0.0
        if (types := infer_types([fields])) != self.types:
            self.types = merge_types([self.types, types])
        self.present.update(name for name, value in fields.items() if value is not None)
        if language := row_language(row.get("fields")):
            self.languages[language] += 1
        if reason := row.get("reason"):
            self.reasons[reason] += 1
        elif row.get("path"):
            self.paths.append(row["path"])
        self.mended.update(row.get("mended") or ())
        if len(self.first) < FIRST_ROWS:
            self.first.append(fields)
