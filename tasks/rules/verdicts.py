"""Which rows break which rules."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.rules.rule import Rule, Rules, Term
from tasks.rules.values import Values, compares, kind_asked

COMPARE = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "==": pc.equal}

Flags = NDArray[np.bool_]


def verdicts(rules: Rules, values: Values) -> Flags:
    """For each row and each rule, whether it breaks it.

    What has no reference is judged by the rules for labels, and not by those that compare with a reference.
    """
    columns = [breaks(rule, values) & mine for rule, mine in zip(rules.parsed, concerned(rules, values), strict=True)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(values.rows), 0), bool)


def concerned(rules: Rules, values: Values) -> list[Flags]:
    """For each rule, which rows it is asked of."""
    every = np.ones(len(values.rows), bool)
    given = [values.compared if compares(rule) else every for rule in rules.given]
    return [*given, *(asked_of_labels(rule, values) for rule in rules.of_labels)]


def asked_of_labels(rule: Rule, values: Values) -> Flags:
    """Which rows a rule for labels is asked of; what one model alone read has no agreement."""
    found = ~values.compared
    if rule.term == Term("agreement"):
        found = found & np.asarray(pc.is_valid(values.of(rule.term, "number")), bool)
    return found


def breaks(rule: Rule, values: Values) -> Flags:
    """The rows that break the rule; an unknown value breaks any but !=."""
    kind = kind_asked(rule)
    found, value = values.of(rule.term, kind), rule.value
    match rule.operator, value:
        case _, Term():
            value = values.of(value, kind)
        case "in", (float(), float()):
            holds = pc.and_(pc.greater_equal(found, value[0]), pc.less_equal(found, value[1]))
            return filled(holds, False)
        case "in", _:
            return filled(pc.is_in(found, pa.array(value)), False)
    if rule.operator == "!=":
        return filled(pc.not_equal(found, value), True)
    return filled(COMPARE[rule.operator](found, value), False)


def filled(holds: Any, unknown: bool) -> Flags:
    """Where it does not hold."""
    found: Flags = ~np.asarray(pc.fill_null(holds, unknown), bool)
    return found
