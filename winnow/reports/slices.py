"""Parts of a run by duration, language and every field of the manifest that has few values: which stand out."""

from collections.abc import Iterable, Iterator

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.gates.sampling import wilson_interval
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


def summarize_slices(transcribed: pa.Table) -> list[Slice]:
    """Summarize the slices of all fields: first those that stand out, the largest difference in kept hours first.

    Slices of fewer than ten utterances are left out, and so are fields with one value.
    """
    kept = pc.equal(transcribed["decision"], "keep")
    measured = pa.table(
        {
            "seconds": transcribed["duration"],
            "kept": pc.cast(kept, pa.int64()),
            "kept_seconds": pc.if_else(kept, transcribed["duration"], 0.0),
            **{name: transcribed[name] for name in ("wer", "doubt")},
        }
    )
    total, all_kept = len(transcribed), pc.sum(measured["kept"]).as_py() or 0
    slices = [
        made
        for field, values in sliced_by(transcribed)
        for made in slices_of(field, measured.append_column("value", values), total, all_kept)
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
            yield name.removeprefix(FIELD), pc.cast(rows[name], pa.string())


def slices_of(field: str, rows: pa.Table, total: int, all_kept: int) -> Iterator[Slice]:
    """Yield the slices of one field."""
    aggregates = [("kept", "count"), ("kept", "sum"), ("seconds", "sum"), ("kept_seconds", "sum")]
    groups = rows.group_by("value", use_threads=False)  # threads would add up in another order each time
    grouped = groups.aggregate([*aggregates, ("wer", "mean"), ("doubt", "approximate_median")])
    if not 1 < len(grouped) <= MOST_VALUES:
        return
    for group in grouped.to_pylist():
        count, kept = group["kept_count"], group["kept_sum"]
        if count < FEWEST_UTTERANCES:
            continue
        low, high = wilson_interval(kept, count)
        others = (all_kept - kept) / (total - count)
        yield Slice(
            field=field,
            value=NOT_STATED if group["value"] is None else group["value"],
            utterances=count,
            hours=(group["seconds_sum"] or 0.0) / 3600,
            kept=kept,
            kept_hours=(group["kept_seconds_sum"] or 0.0) / 3600,
            low=low,
            high=high,
            stands_out=total - count >= FEWEST_UTTERANCES and not low <= others <= high,
            wer=group["wer_mean"],
            doubt=group["doubt_approximate_median"],
        )
