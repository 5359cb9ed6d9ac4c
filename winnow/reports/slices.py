"""Parts of a run by duration, language and every field of the manifest that has few values: which stand out."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from winnow.gates.sampling import wilson_interval
from winnow.reports.quantiles import Quantiles
from winnow.reports.slice_fields import (
    FEWEST_UTTERANCES,
    MOST_VALUES,
    NOT_STATED,
    SHOWN_OTHERWISE,
    duration_classes,
    names_of_values,
)

FIELD = "field "
"""What the names of the columns that `field_columns` makes begin with."""

EXACT = 1_000  # values of doubt of a slice up to which their median is exact
MOST_FIELDS = 100  # of a shard; where each row has names of its own, they are no fields


class Slice(BaseModel, frozen=True):
    """The transcribed utterances that have a value of a field.

    `low` and `high` bound the share that is kept, at 95 % confidence; `stands_out` if the share of all others, of which
    there are at least ten, lies outside. `wer` is the mean of the selected hypotheses, `doubt` the median; None if
    unknown.
    """

    field: str
    value: str
    utterances: int
    hours: float
    kept: int
    kept_hours: float
    low: float
    high: float
    stands_out: bool
    wer: float | None
    doubt: float | None

    @property
    def kept_share(self) -> float:
        return self.kept / self.utterances


def field_columns(fields: Iterable[str | None]) -> tuple[dict[str, pa.Array], set[str]]:
    """Return the fields with at most 50 different values as columns, and the names of all others.

    Values are short texts, whole numbers and truth values. Rows with more than 100 fields in all have no such columns.
    """
    objects = [msgspec.json.decode(text) if text else {} for text in fields]
    names = dict.fromkeys(name for row in objects for name in row)
    if len(names) > MOST_FIELDS:
        return {}, {FIELD + name for name in names}
    columns, crowded = dict[str, pa.Array](), set[str]()
    for name in names:
        if (values := names_of_values([row.get(name) for row in objects])) is not None:
            columns[FIELD + name] = values
        else:
            crowded.add(FIELD + name)
    return columns, crowded


@dataclass
class Part:
    """Utterances that have a value of a field, added up."""

    utterances: int = 0
    kept: int = 0
    seconds: float = 0.0
    kept_seconds: float = 0.0
    wer: float = 0.0
    compared: int = 0
    doubt: Quantiles = field(default_factory=lambda: Quantiles(EXACT))

    def add(self, figures: dict[str, Any], doubt: NDArray[np.float64]) -> None:
        """Add a group of rows: its figures, as `grouped` returns them, and the doubt of those that have one."""
        self.utterances += figures["kept_count"]
        self.kept += figures["kept_sum"]
        self.seconds += figures["seconds_sum"] or 0.0
        self.kept_seconds += figures["kept_seconds_sum"] or 0.0
        self.wer += figures["wer_sum"] or 0.0
        self.compared += figures["wer_count"]
        self.doubt.add(doubt)


Parts = dict[str | None, Part]


class SliceCounts:
    """The transcribed rows of a run by field and value, added up; a field with too many values is given up."""

    def __init__(self) -> None:
        self._total = Part()
        self._fields: dict[str, Parts] = {}
        self._crowded: set[str] = set()

    def add(self, transcribed: pa.Table) -> None:
        """Take the transcribed rows of another shard; a column of nulls says that its field has too many values."""
        kept = pc.equal(transcribed["decision"], "keep")
        measured = pa.table(
            {
                "seconds": transcribed["duration"],
                "kept": pc.cast(kept, pa.int64()),
                "kept_seconds": pc.if_else(kept, transcribed["duration"], 0.0),
                **{name: transcribed[name] for name in ("wer", "doubt")},
            }
        )
        columns = dict(sliced_by(transcribed))
        self._crowded |= {name for name, values in columns.items() if pa.types.is_null(values.type)}
        missing = pa.chunked_array([pa.nulls(len(measured), pa.string())])
        for name in [name for name in {**self._fields, **columns} if name not in self._crowded]:
            parts = self._fields.setdefault(name, {None: deepcopy(self._total)} if self._total.utterances else {})
            add_groups(parts, measured.append_column("value", columns.get(name, missing)))
            if len(parts) > MOST_VALUES:
                self._crowded.add(name)
        for name in self._crowded:
            self._fields.pop(name, None)
        total: Parts = {None: self._total}
        add_groups(total, measured.append_column("value", missing))

    @property
    def slices(self) -> list[Slice]:
        """The slices of all fields: first those that stand out, the largest difference in kept hours first.

        Slices of fewer than ten utterances are left out, and so are fields with one value.
        """
        total, all_kept = self._total.utterances, self._total.kept
        slices = [
            slice_of(name, value, part, total, all_kept)
            for name, parts in self._fields.items()
            if len(parts) > 1
            for value, part in parts.items()
            if part.utterances >= FEWEST_UTTERANCES
        ]
        share = all_kept / total if total else 0.0
        return sorted(
            slices,
            key=lambda part: (not part.stands_out, -abs(part.kept_share - share) * part.hours, part.field, part.value),
        )


def sliced_by(rows: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield the name of each field with the value in every row."""
    yield "duration", pa.chunked_array([duration_classes(rows["duration"].to_numpy())])
    yield "language", rows["language"]
    for name in rows.schema.names:
        if name.startswith(FIELD) and name.removeprefix(FIELD) not in SHOWN_OTHERWISE:
            values = rows[name]
            yield name.removeprefix(FIELD), values if pa.types.is_null(values.type) else pc.cast(values, pa.string())


def add_groups(parts: Parts, rows: pa.Table) -> None:
    """Add rows to the parts of their values."""
    aggregates = [("kept", "count"), ("kept", "sum"), ("seconds", "sum"), ("kept_seconds", "sum")]
    groups = rows.group_by("value", use_threads=False)  # threads would add up in another order each time
    grouped = groups.aggregate([*aggregates, ("wer", "sum"), ("wer", "count")])
    doubted = rows.select(["value", "doubt"]).filter(pc.is_valid(rows["doubt"])).combine_chunks()
    doubts, values = doubted["doubt"].to_numpy(), doubted["value"]
    for group in grouped.to_pylist():
        value = group["value"]
        has_value = (pc.is_null(values) if value is None else pc.fill_null(pc.equal(values, value), False)).to_numpy()
        parts.setdefault(value, Part()).add(group, doubts[has_value])


def slice_of(name: str, value: str | None, part: Part, total: int, all_kept: int) -> Slice:
    """Return a part of all rows as a slice."""
    low, high = wilson_interval(part.kept, part.utterances)
    others = total - part.utterances
    return Slice(
        field=name,
        value=NOT_STATED if value is None else value,
        utterances=part.utterances,
        hours=part.seconds / 3600,
        kept=part.kept,
        kept_hours=part.kept_seconds / 3600,
        low=low,
        high=high,
        stands_out=others >= FEWEST_UTTERANCES and not low <= (all_kept - part.kept) / others <= high,
        wer=part.wer / part.compared if part.compared else None,
        doubt=part.doubt.median,
    )
