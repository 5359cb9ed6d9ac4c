"""How many utterances and hours were kept, dropped and quarantined, and for which reasons."""

from collections.abc import Iterable
from typing import Any

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
    return (pc.sum(rows["duration"]).as_py() or 0.0) / 3600


def rows_where(rows: pa.Table, column: str, value: str) -> pa.Table:
    """Select the rows that have this value in the column."""
    return rows.filter(pc.equal(rows[column], value))


def transcribed_rows(rows: pa.Table) -> pa.Table:
    """Select the rows that were not quarantined."""
    return rows.filter(pc.not_equal(rows["decision"], "quarantine"))


def check_conservation(ids: pa.ChunkedArray, manifest: ShardedManifest) -> None:
    """Raise `CountMismatch` unless there is exactly one id for each line of the manifest that is not blank."""
    distinct = pc.count_distinct(ids).as_py()
    expected = manifest.lines - manifest.blank
    if not len(ids) == distinct == expected:
        raise CountMismatch(
            f"rows were lost or duplicated: expected {expected} ({manifest.lines} lines, {manifest.blank} of them "
            f"blank), got {len(ids)} rows with {distinct} different ids"
        )


def count_decisions(rows: pa.Table, manifest: ShardedManifest, limits: Filter) -> dict[str, Any]:
    """Count all rows of a run by decision and reason, as the report's fields of these names.

    Raises `CountMismatch` if rows were lost or duplicated.
    """
    check_conservation(rows["id"], manifest)
    kept, dropped, quarantined = (rows_where(rows, "decision", name) for name in ("keep", "drop", "quarantine"))
    return {
        "lines": manifest.lines,
        "blank": manifest.blank,
        "kept": len(kept),
        "dropped": len(dropped),
        "quarantined": len(quarantined),
        "hours": hours_of(transcribed_rows(rows)),
        "kept_hours": hours_of(kept),
        "dropped_hours": hours_of(dropped),
        "reasons": count_rule_reasons(dropped, limits) | count_first_reasons(quarantined),
        "mended": count_mended(rows),
    }


def count_rule_reasons(dropped: pa.Table, limits: Filter) -> dict[str, ReasonCount]:
    """Count dropped rows by rule: the most frequent first reason comes first, rules that are never first come last."""
    lists = dropped["reasons"].drop_null()
    single = lists.filter(pc.equal(pc.list_value_length(lists), 1))
    violations, only_this_rule = (count_values(pc.list_flatten(reasons)) for reasons in (lists, single))
    conditions = {rule.name: rule.condition for rule in (*limits.unreferenced_rules, *limits.active_rules)}
    first = count_first_reasons(dropped)
    never_first = {name: ReasonCount(utterances=0, hours=0.0) for name in sorted(set(violations) - set(first))}
    return {
        name: ReasonCount(
            utterances=count.utterances,
            hours=hours_of(rows_where(dropped, "reason", name)),
            rule=conditions.get(name),
            violations=violations.get(name, 0),
            only_this_rule=only_this_rule.get(name, 0),
        )
        for name, count in (first | never_first).items()
    }


def count_first_reasons(rows: pa.Table) -> dict[str, ReasonCount]:
    """Count rows by their first reason, the most frequent first; hours stay unknown."""
    counts = sorted(count_values(rows["reason"].drop_null()).items(), key=lambda item: (-item[1], item[0]))
    return {name: ReasonCount(utterances=count, hours=None) for name, count in counts}


def count_mended(rows: pa.Table) -> dict[str, MendedCount]:
    """Count rows by each way in which they were mended, the most frequent first."""
    mended = rows.select(["id", "mended"]).filter(pc.is_valid(rows["mended"]))
    lists = mended["mended"].combine_chunks()
    ids = mended["id"].take(pc.list_parent_indices(lists))
    pairs = pa.table({"id": ids, "mending": pc.list_flatten(lists)})
    counts = pairs.group_by("mending").aggregate([("id", "count"), ("id", "min")]).to_pylist()
    counts.sort(key=lambda row: (-row["id_count"], row["mending"]))
    return {row["mending"]: MendedCount(utterances=row["id_count"], first_line=row["id_min"]) for row in counts}


def count_values(names: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(names).to_pylist()}
