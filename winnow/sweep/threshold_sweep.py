"""How much is kept, and how wrong it is, at every threshold of a rule, the other rules staying as they are."""

from dataclasses import dataclass

import numpy as np

from winnow.rules.rule import Rule
from winnow.sweep.outcomes import Outcomes, Subset, has_limit

STEPS = 20


@dataclass(frozen=True)
class CurvePoint:
    """What is kept with the rule's limit at a threshold, and whether that is the limit that it has."""

    threshold: float
    kept: Subset
    current: bool


@dataclass(frozen=True)
class RuleCost:
    """What a rule drops: those that break it, and of these what no other rule drops."""

    rule: Rule
    violations: Subset
    only_this_rule: Subset
    curve: list[CurvePoint]


def rule_costs(found: Outcomes) -> list[RuleCost]:
    """Of each rule, with the curve of those that have a limit."""
    return [
        RuleCost(
            rule,
            violations=found.of(found.violations[:, column]),
            only_this_rule=found.of(found.kept_without(rule) & found.violations[:, column]),
            curve=threshold_curve(found, column) if has_limit(rule) else [],
        )
        for column, rule in enumerate(found.rules)
    ]


def threshold_curve(found: Outcomes, at: int) -> list[CurvePoint]:
    """At the rule's own limit and at some twenty others, by how the values lie among what the other rules keep."""
    rule, compared = found.rules[at], found.values[at]
    assert isinstance(rule.value, float)
    others = np.flatnonzero(found.kept_without(rule) & ~np.isnan(compared))
    if not len(others):
        return []
    sign = 1.0 if rule.operator in ("<", "<=") else -1.0
    values = sign * compared[others]
    order = np.argsort(values, kind="stable")
    values, others = values[order], others[order]
    sums = [np.concatenate([[0.0], np.cumsum(column[others])]) for column in (found.seconds, found.wrong, found.words)]
    known = values[np.isfinite(values)]
    steps = known[np.linspace(0, len(known) - 1, STEPS).astype(int)] if len(known) else known
    limits = np.unique([sign * rule.value, *steps])
    points = []
    for limit in limits:
        count = int(np.searchsorted(values, limit, side="left" if rule.operator in ("<", ">") else "right"))
        seconds, wrong, words = (float(total[count]) for total in sums)
        kept = Subset(count, seconds / 3600, wrong / words if words else None)
        points.append(CurvePoint(float(sign * limit) + 0.0, kept, bool(limit == sign * rule.value)))
    return points if sign > 0 else points[::-1]
