"""Keep, drop or quarantine, and the reasons."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.rules.evaluate import evaluate
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules
from winnow.schema import REVIEWED


class Decisions(NamedTuple):
    """The decision on each row of a table, as columns.

    `decision` is keep, drop or quarantine. `reasons` are the names of all rules that a row violates, in the order of
    the rules, or null if there are none. `reason` is the first of them, or why the row is quarantined.
    """

    decision: pa.Array
    reason: pa.Array
    reasons: pa.Array


def decide(rules: Rules, operands: Operands) -> Decisions:
    """Judge every row; a row that already has a reason could not be transcribed and is quarantined with it."""
    quarantined = np.asarray(pc.is_valid(operands.rows["reason"]), bool)
    violations, names = merge_by_name(evaluate(rules, operands) & ~quarantined[:, np.newaxis], rules)
    reason = pc.coalesce(operands.rows["reason"], first_reason(violations, names))
    decision = pc.if_else(pa.array(quarantined), "quarantine", pc.if_else(pc.is_valid(reason), "drop", "keep"))
    return Decisions(decision, reason, reason_lists(violations, names))


def overrule(decisions: Decisions, verdicts: pa.ChunkedArray) -> Decisions:
    """Return the decisions with those of people in their place: keep, drop or edit, or null where no one decided.

    A row that a person dropped keeps the names of the rules that it violates after its reason REVIEWED. Quarantined
    rows stay as they are.
    """
    rows = zip(*(column.to_pylist() for column in (*decisions, verdicts)), strict=True)
    changed = [
        (decision, reason, reasons)
        if verdict is None or decision == "quarantine"
        else ("drop", REVIEWED, [REVIEWED, *(reasons or [])])
        if verdict == "drop"
        else ("keep", None, None)
        for decision, reason, reasons, verdict in rows
    ]
    columns = zip(*changed, strict=True) if changed else ([], [], [])
    return Decisions(*(pa.array(list(column), own.type) for column, own in zip(columns, decisions, strict=True)))


def merge_by_name(violations: NDArray[np.bool_], rules: Rules) -> tuple[NDArray[np.bool_], list[str]]:
    """Return the violations by name, since a rule and a rule for labels may have the same one."""
    columns = [rule.name for rule in rules.all_rules]
    names = list(dict.fromkeys(columns))
    merged = np.zeros((len(violations), len(names)), bool)
    for column, name in enumerate(columns):
        merged[:, names.index(name)] |= violations[:, column]
    return merged, names


def reason_lists(violations: NDArray[np.bool_], names: list[str]) -> pa.Array:
    """Return for each row the names of the rules that it violates; null if there are none."""
    counts = violations.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    taken = pa.array(names, pa.string()).take(pa.array(np.nonzero(violations)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), taken, mask=pa.array(counts == 0))


def first_reason(violations: NDArray[np.bool_], names: list[str]) -> pa.Array:
    """Return for each row the first rule that it violates; null if there is none."""
    if not names:
        return pa.nulls(len(violations), pa.string())
    first = pa.array(violations.argmax(axis=1), mask=~violations.any(axis=1))
    return pa.array(names, pa.string()).take(first)
