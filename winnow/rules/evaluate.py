"""Which rows violate which rules."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.rules.columns import compared_type, compares_texts
from winnow.rules.operands import Operands
from winnow.rules.rule import Rule, Rules, Term
from winnow.schema import AGREEMENT, AUDIO_STATS

COMPARE = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "==": pc.equal}

NOT_OF_EVERY_ROW = {Term(name) for name in (*AGREEMENT, *AUDIO_STATS.names)}
"""What need not be known of an utterance without a reference."""

Flags = NDArray[np.bool_]


def evaluate(rules: Rules, operands: Operands) -> Flags:
    """Return for each row and each of `rules.all_rules` whether the row violates it, with shape (rows, rules)."""
    columns = [
        violations(rule, operands) & applies
        for rule, applies in zip(rules.all_rules, applies_to(rules, operands), strict=True)
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((len(operands.rows), 0), bool)


def applies_to(rules: Rules, operands: Operands) -> list[Flags]:
    """Return for each rule the rows that it applies to: one that compares with a reference needs one."""
    all_rows = np.ones(len(operands.rows), bool)
    general = [operands.referenced if compares_texts(rule) else all_rows for rule in rules.general_rules]
    unsupported = [operands.referenced & operands.without_evidence for _ in rules.rules_without_evidence]
    return [*general, *unsupported, *(applies_to_unreferenced(rule, operands) for rule in rules.unreferenced_rules)]


def applies_to_unreferenced(rule: Rule, operands: Operands) -> Flags:
    """Return the rows that a rule for utterances without a reference applies to.

    Agreement needs several models, and audio may not have been measured.
    """
    rows: Flags = ~operands.referenced
    if rule.term in NOT_OF_EVERY_ROW:
        rows = rows & np.asarray(pc.is_valid(operands.of(rule.term, "number")), bool)
    return rows


def violations(rule: Rule, operands: Operands) -> Flags:
    """Return the rows that violate the rule; an unknown value violates any rule but one with != or not in."""
    kind = compared_type(rule)
    values, value = operands.of(rule.term, kind), rule.value
    match value:
        case Term():
            value = operands.of(value, kind)
        case (float(low), float(high)):
            listed = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
            return violated_list(listed, rule.operator)
        case tuple():
            members = listed_values(list(map(str, value)), kind)
            listed = pc.if_else(pc.is_valid(values), pc.is_in(pc.cast(values, members.type), members), None)
            return violated_list(listed, rule.operator)
    if rule.operator == "!=":
        return violated(pc.not_equal(values, value), unknown=True)
    return violated(COMPARE[rule.operator](values, value), unknown=False)


def listed_values(members: list[str], kind: str) -> pa.Array:
    """Return the members of a list in the type that is compared."""
    if kind == "number":
        return pa.array([float(member) for member in members])
    as_numbers = [repr(float(member)) for member in members] if kind == "any" else []
    return pa.array([*members, *as_numbers])


def violated_list(listed: Any, operator: str) -> Flags:
    """Return the rows that violate a rule with `in` or `not in`, of which an unknown value violates only the first."""
    return violated(listed if operator == "in" else pc.invert(listed), unknown=operator != "in")


def violated(holds: Any, unknown: bool) -> Flags:
    """Invert a column of booleans, with `unknown` for its nulls."""
    return np.asarray(~np.asarray(pc.fill_null(holds, unknown), bool))
