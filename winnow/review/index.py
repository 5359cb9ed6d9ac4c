"""The rows of a run in memory, as far as a list of them shows, filters and sorts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from winnow.api.run import Run
from winnow.export.rows import SPEAKER_FIELDS
from winnow.review.ordering import Queue, review_queue
from winnow.runs.ledger import name_of
from winnow.runs.shard_files import read_columns, read_schema

TEXTS = ("text", "pred_text", "proposal")
NUMBERS = ("doubt", "wer", "duration", "proposal_margin")
CHOICES = ("decision", "reason", "speaker", "language")

MOST_CHOICES = 1_000
"""Values of a column that can be chosen from: the most frequent ones."""

Indexes = NDArray[np.int64]
Flags = NDArray[np.bool_]
SortBy = Literal["queue", "id", "doubt", "wer", "duration", "speaker"]


class Query(BaseModel, frozen=True, extra="forbid"):
    """Which rows of a run are listed: those that fit every filter, in an order, `size` from `start` on."""

    decision: str | None = None
    reason: str | None = None
    speaker: str | None = None
    language: str | None = None
    search: str = Field("", max_length=1_000)
    state: Literal["all", "open", "decided", "flagged", "proposal"] = "all"
    wer_from: float | None = None
    wer_to: float | None = None
    doubt_from: float | None = None
    doubt_to: float | None = None
    sort: SortBy = "queue"
    descending: bool = False
    start: int = Field(0, ge=0)
    size: int = Field(50, ge=1, le=500)


@dataclass(frozen=True)
class Index:
    """The listed columns of a run: `rows` has an entry for each row, ordered by id; `shards` says where it lies."""

    rows: pa.Table
    shards: list[str]
    queue: Queue
    sorted: dict[SortBy, Indexes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, line: int) -> int | None:
        """Return the index of a row by its line in the manifest; None if there is no such row."""
        ids = self.rows["id"].chunk(0).to_numpy()
        index = int(np.searchsorted(ids, line))
        return index if index < len(ids) and ids[index] == line else None

    def shard_of(self, index: int) -> str:
        """Return the number of the shard that a row lies in."""
        return self.shards[int(self.rows["shard"][index].as_py())]

    def matching(self, query: Query, open_rows: Flags, flagged: Flags) -> Indexes:
        """Return the indexes of the rows that fit a query, in its order."""
        order = self.in_order(query.sort)
        fitting = order[self.fits(query, open_rows, flagged)[order]]
        return fitting[::-1] if query.descending else fitting

    def in_order(self, sort: SortBy) -> Indexes:
        """Return all indexes in an order, which is computed once; unknown values come last, equal ones by line."""
        if sort in ("queue", "id"):
            return self.queue.order if sort == "queue" else np.arange(len(self))
        if sort not in self.sorted:
            self.sorted[sort] = np.argsort(sort_keys(self.rows[sort]), kind="stable")
        return self.sorted[sort]

    def fits(self, query: Query, open_rows: Flags, flagged: Flags) -> Flags:
        """Return which rows fit a query."""
        fits = np.ones(len(self), bool)
        for name in CHOICES:
            if (value := getattr(query, name)) is not None:
                fits &= flags(pc.equal(self.rows[name], value))
        for name in ("wer", "doubt"):
            if (low := getattr(query, f"{name}_from")) is not None:
                fits &= flags(pc.greater_equal(self.rows[name], low))
            if (high := getattr(query, f"{name}_to")) is not None:
                fits &= flags(pc.less_equal(self.rows[name], high))
        if query.state == "proposal":
            fits &= flags(pc.is_valid(self.rows["proposal"]))
        elif query.state != "all":
            fits &= {"open": open_rows, "decided": ~open_rows, "flagged": flagged}[query.state]
        if query.search:
            fits &= flags(pc.match_substring(self.lowered, query.search.lower()))
        return fits

    def prepare(self) -> None:
        """Make what filters and searches need, before anyone waits for it."""
        _ = self.choices, self.lowered

    @cached_property
    def lowered(self) -> pa.ChunkedArray:
        """What is searched: both texts of each row in lower case, made once."""
        texts = (pc.fill_null(self.rows[name], "") for name in TEXTS[:2])
        return pc.utf8_lower(pc.binary_join_element_wise(*texts, pa.scalar("\n", pa.large_string())))

    @cached_property
    def choices(self) -> dict[str, dict[str, int]]:
        """Return how many rows have each value of the columns that can be chosen from, the most frequent first."""
        return {name: frequent(self.rows[name]) for name in CHOICES}


def read_index(run: Run, seed: int) -> Index:
    """Read the listed columns of all rows; the seed is that of the random sample in the queue."""
    files = [*run.files("data"), *run.files("rejects")]
    schema = set(read_schema(files[0]).names)
    own = {name: name for name in ("id", "decision", "reason", *TEXTS, *NUMBERS) if name in schema}
    fields = {"speaker": next((name for name in SPEAKER_FIELDS if name in schema), ""), "language": "lang"}
    own |= {name: source for name, source in fields.items() if source in schema}
    shards = sorted({name_of(file) for file in files})
    parts = []
    for file in files:
        rows = read_columns(file, set(own.values()))
        columns = {name: rows[source] for name, source in own.items()}
        parts.append(pa.table(columns | {"shard": pa.array([shards.index(name_of(file))] * len(rows), pa.int32())}))
    rows = pa.concat_tables(parts, promote_options="permissive").sort_by("id").combine_chunks()
    rows = pa.table({**{name: rows[name] for name in ("id", "shard")}, **dict(typed(rows))}).combine_chunks()
    return Index(rows, shards, review_queue(rows, seed))


def typed(rows: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield the columns of texts, numbers and choices by their names; null where the run lacks them."""
    for names, kind in ((TEXTS, pa.large_string()), (NUMBERS, pa.float64()), (CHOICES, pa.string())):
        for name in names:
            column = rows[name] if name in rows.schema.names else pa.nulls(len(rows), kind)
            yield name, pc.cast(column, kind)


def sort_keys(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return numbers by which a column is sorted, nan where it is null, which comes last."""
    if not pa.types.is_floating(column.type):
        encoded = column.combine_chunks().dictionary_encode()
        ranks = pc.rank(encoded.dictionary, tiebreaker="dense")
        column = ranks.take(encoded.indices).cast(pa.float64())
    return np.asarray(pc.fill_null(column, np.nan), np.float64)


def frequent(column: pa.ChunkedArray) -> dict[str, int]:
    """Return the most frequent values of a column, with how many rows have each."""
    counts = [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]
    known = sorted(((value, count) for value, count in counts if value), key=lambda item: (-item[1], item[0]))
    return dict(known[:MOST_CHOICES])


def flags(column: pa.ChunkedArray) -> Flags:
    return np.asarray(pc.fill_null(column, False), bool)
