"""Which rows violate which rules."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.rules.columns import compared_type, compares_texts
from winnow.rules.operands import Operands
from winnow.rules.rule import Rule, Rules, Term

COMPARE = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "==": pc.equal}

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
    return [*general, *(applies_to_unreferenced(rule, operands) for rule in rules.unreferenced_rules)]


def applies_to_unreferenced(rule: Rule, operands: Operands) -> Flags:
    """Return the rows that a rule for utterances without a reference applies to; agreement needs several models."""
    rows: Flags = ~operands.referenced
    if rule.term == Term("agreement"):
        rows = rows & np.asarray(pc.is_valid(operands.of(rule.term, "number")), bool)
    return rows


def violations(rule: Rule, operands: Operands) -> Flags:
    """Return the rows that violate the rule; an unknown value violates any rule but one with !=."""
    kind = compared_type(rule)
    values, value = operands.of(rule.term, kind), rule.value
    match rule.operator, value:
        case _, Term():
            value = operands.of(value, kind)
        case "in", (float(), float()):
            holds = pc.and_(pc.greater_equal(values, value[0]), pc.less_equal(values, value[1]))
            return violated(holds, unknown=False)
        case "in", _:
            return violated(pc.is_in(values, pa.array(value)), unknown=False)
    if rule.operator == "!=":
        return violated(pc.not_equal(values, value), unknown=True)
    return violated(COMPARE[rule.operator](values, value), unknown=False)


def violated(holds: Any, unknown: bool) -> Flags:
    """Invert a column of booleans, with `unknown` for its nulls."""
    return np.asarray(~np.asarray(pc.fill_null(holds, unknown), bool))
