"""Which rows break which rules."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.rules.operands import Operands, compares_texts, kind_asked
from winnow.rules.rule import Rule, Rules, Term

COMPARE = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "==": pc.equal}

Flags = NDArray[np.bool_]


def evaluate(rules: Rules, values: Operands) -> Flags:
    """For each row and each rule, whether it breaks it.

    What has no reference is judged by the rules for labels, and not by those that compare with a reference.
    """
    columns = [
        violations(rule, values) & mine for rule, mine in zip(rules.parsed, applies_to(rules, values), strict=True)
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((len(values.rows), 0), bool)


def applies_to(rules: Rules, values: Operands) -> list[Flags]:
    """For each rule, which rows it is asked of."""
    every = np.ones(len(values.rows), bool)
    given = [values.compared if compares_texts(rule) else every for rule in rules.given]
    return [*given, *(applies_to_labels(rule, values) for rule in rules.label_rules)]


def applies_to_labels(rule: Rule, values: Operands) -> Flags:
    """Which rows a rule for labels is asked of; what one model alone read has no agreement."""
    found = ~values.compared
    if rule.term == Term("agreement"):
        found = found & np.asarray(pc.is_valid(values.of(rule.term, "number")), bool)
    return found


def violations(rule: Rule, values: Operands) -> Flags:
    """The rows that break the rule; an unknown value breaks any but !=."""
    kind = kind_asked(rule)
    found, value = values.of(rule.term, kind), rule.value
    match rule.operator, value:
        case _, Term():
            value = values.of(value, kind)
        case "in", (float(), float()):
            holds = pc.and_(pc.greater_equal(found, value[0]), pc.less_equal(found, value[1]))
            return does_not_hold(holds, False)
        case "in", _:
            return does_not_hold(pc.is_in(found, pa.array(value)), False)
    if rule.operator == "!=":
        return does_not_hold(pc.not_equal(found, value), True)
    return does_not_hold(COMPARE[rule.operator](found, value), False)


def does_not_hold(holds: Any, unknown: bool) -> Flags:
    """Where it does not hold."""
    found: Flags = ~np.asarray(pc.fill_null(holds, unknown), bool)
    return found
