"""How many utterances and hours were kept, dropped and quarantined, and for which reasons."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.errors import CountMismatch
from winnow.parameters.filter import Filter
from winnow.schema import ShardedManifest


class UtteranceCount(BaseModel, frozen=True):
    """A number of utterances and their duration in hours; `hours` is None if it was not measured."""

    utterances: int
    hours: float | None


class ReasonCount(UtteranceCount, frozen=True):
    """The utterances whose first reason this is.

    For a rule also its condition, how many utterances violate it whatever their first reason (`violations`), and how
    many violate no other rule (`only_this_rule`).
    """

    rule: str | None = None
    violations: int | None = None
    only_this_rule: int | None = None


class MendedCount(BaseModel, frozen=True):
    """How many rows were read in the same way although they are badly written, and the first of them."""

    utterances: int
    first_line: int


NO_UTTERANCES = UtteranceCount(utterances=0, hours=0.0)


def count_utterances(rows: pa.Table) -> UtteranceCount:
    """Return the number of rows and their hours."""
    return UtteranceCount(utterances=len(rows), hours=hours_of(rows))


def sum_counts(counts: Iterable[UtteranceCount]) -> UtteranceCount:
    """Add counts up; unknown hours count as 0."""
    counts = list(counts)
    hours = sum(count.hours or 0.0 for count in counts)
    return UtteranceCount(utterances=sum(count.utterances for count in counts), hours=hours)


def hours_of(rows: pa.Table) -> float:
    """Return the total duration of the rows in hours."""
    return seconds_of(rows) / 3600


def seconds_of(rows: pa.Table) -> float:
    """Return the total duration of the rows."""
    seconds: float = pc.sum(rows["duration"]).as_py() or 0.0
    return seconds


def rows_where(rows: pa.Table, column: str, value: str) -> pa.Table:
    """Select the rows that have this value in the column."""
    return rows.filter(pc.equal(rows[column], value))


def transcribed_rows(rows: pa.Table) -> pa.Table:
    """Select the rows that were not quarantined."""
    return rows.filter(pc.not_equal(rows["decision"], "quarantine"))


@dataclass
class Amount:
    """Utterances and their seconds of audio, added up."""

    utterances: int = 0
    seconds: float = 0.0

    def add(self, rows: pa.Table) -> None:
        """Count these rows as well."""
        self.utterances += len(rows)
        self.seconds += seconds_of(rows)

    def merge(self, other: "Amount") -> None:
        self.utterances += other.utterances
        self.seconds += other.seconds

    @property
    def hours(self) -> float:
        return self.seconds / 3600

    @property
    def count(self) -> UtteranceCount:
        return UtteranceCount(utterances=self.utterances, hours=self.hours)


class DecisionCounts:
    """The rows of a run by decision and reason, added up; `limits` are those of the filter."""

    def __init__(self, limits: Filter) -> None:
        self.ids, self.limits = IdCounts(), limits
        self.transcribed, self.kept, self.dropped = Amount(), Amount(), Amount()
        self.quarantined = 0
        self._first: dict[str, Amount] = {}
        self._quarantine_reasons, self._violations, self._only = Counter[str](), Counter[str](), Counter[str]()
        self._mended: dict[str, MendedCount] = {}

    def add(self, rows: pa.Table) -> None:
        """Count the rows of another shard."""
        self.ids.add(rows["id"])
        kept, dropped, quarantined = (rows_where(rows, "decision", name) for name in ("keep", "drop", "quarantine"))
        self.kept.add(kept)
        self.dropped.add(dropped)
        self.transcribed.add(transcribed_rows(rows))
        self.quarantined += len(quarantined)
        self._quarantine_reasons.update(count_values(quarantined["reason"].drop_null()))
        for name in count_values(dropped["reason"].drop_null()):
            self._first.setdefault(name, Amount()).add(rows_where(dropped, "reason", name))
        lists = dropped["reasons"].drop_null()
        self._violations.update(count_values(pc.list_flatten(lists)))
        self._only.update(count_values(pc.list_flatten(lists.filter(pc.equal(pc.list_value_length(lists), 1)))))
        for name, mended in count_mended(rows).items():
            before = self._mended.get(name, mended.model_copy(update={"utterances": 0}))
            self._mended[name] = MendedCount(
                utterances=before.utterances + mended.utterances, first_line=min(before.first_line, mended.first_line)
            )

    def fields(self, manifest: ShardedManifest) -> dict[str, Any]:
        """Return the report's fields of these counts; raises `CountMismatch` if rows were lost or duplicated."""
        self.ids.check(manifest)
        return {
            "lines": manifest.lines,
            "blank": manifest.blank,
            "kept": self.kept.utterances,
            "dropped": self.dropped.utterances,
            "quarantined": self.quarantined,
            "hours": self.transcribed.hours,
            "kept_hours": self.kept.hours,
            "dropped_hours": self.dropped.hours,
            "reasons": self.rule_reasons() | self.quarantine_reasons(),
            "mended": dict(sorted(self._mended.items(), key=lambda item: (-item[1].utterances, item[0]))),
        }

    def rule_reasons(self) -> dict[str, ReasonCount]:
        """Return dropped rows by rule: the most frequent first reason comes first, those never first come last."""
        conditions = {
            rule.name: rule.condition for rule in (*self.limits.unreferenced_rules, *self.limits.active_rules)
        }
        first = sorted(self._first.items(), key=lambda item: (-item[1].utterances, item[0]))
        never_first = [(name, Amount()) for name in sorted(set(self._violations) - set(self._first))]
        return {
            name: ReasonCount(
                utterances=amount.utterances,
                hours=amount.hours,
                rule=conditions.get(name),
                violations=self._violations[name],
                only_this_rule=self._only[name],
            )
            for name, amount in (*first, *never_first)
        }

    def quarantine_reasons(self) -> dict[str, ReasonCount]:
        """Return quarantined rows by reason, the most frequent first; hours stay unknown."""
        counts = sorted(self._quarantine_reasons.items(), key=lambda item: (-item[1], item[0]))
        return {name: ReasonCount(utterances=count, hours=None) for name, count in counts}


class IdCounts:
    """How many ids there are, and how many different ones: a bit for each line of the manifest."""

    def __init__(self) -> None:
        self.count = self.distinct = 0
        self._seen = np.zeros(1024, np.uint8)

    def add(self, ids: pa.ChunkedArray) -> None:
        """Take the ids of another shard."""
        different = np.unique(ids.drop_null().to_numpy())
        self.count += len(ids)
        if not len(different):
            return
        if (needed := int(different[-1]) // 8 + 1) > len(self._seen):
            self._seen = np.concatenate([self._seen, np.zeros(2 * needed - len(self._seen), np.uint8)])
        places, bits = different >> 3, np.left_shift(1, different & 7).astype(np.uint8)
        self.distinct += int(np.count_nonzero(self._seen[places] & bits == 0))
        np.bitwise_or.at(self._seen, places, bits)

    def check(self, manifest: ShardedManifest) -> None:
        """Raise `CountMismatch` unless there is exactly one id for each line of the manifest that is not blank."""
        expected = manifest.lines - manifest.blank
        if not self.count == self.distinct == expected:
            raise CountMismatch(
                f"rows were lost or duplicated: expected {expected} ({manifest.lines} lines, {manifest.blank} of them "
                f"blank), got {self.count} rows with {self.distinct} different ids"
            )


def count_mended(rows: pa.Table) -> dict[str, MendedCount]:
    """Count rows by each way in which they were mended."""
    mended = rows.select(["id", "mended"]).filter(pc.is_valid(rows["mended"]))
    lists = mended["mended"].combine_chunks()
    ids = mended["id"].take(pc.list_parent_indices(lists))
    pairs = pa.table({"id": ids, "mending": pc.list_flatten(lists)})
    counts = pairs.group_by("mending").aggregate([("id", "count"), ("id", "min")]).to_pylist()
    return {row["mending"]: MendedCount(utterances=row["id_count"], first_line=row["id_min"]) for row in counts}


def count_values(names: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(names).to_pylist()}
