"""Which rows break a rule."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.rules import Rule, Term
from tasks.values import Values, kind_asked

COMPARE = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "==": pc.equal}


def breaks(rule: Rule, values: Values) -> NDArray[np.bool_]:
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


def filled(holds: Any, unknown: bool) -> NDArray[np.bool_]:
    """Where it does not hold."""
    found: NDArray[np.bool_] = ~np.asarray(pc.fill_null(holds, unknown), bool)
    return found
