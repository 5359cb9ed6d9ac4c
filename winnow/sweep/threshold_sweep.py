"""Hours kept and their WER at each threshold of a rule, with all other rules unchanged.

What people kept is kept at each threshold, and what they decided costs no rule anything.
"""

from dataclasses import dataclass

import numpy as np

from winnow.rules.rule import Rule
from winnow.sweep.outcomes import Outcomes, Subset, has_limit

STEPS = 20


@dataclass(frozen=True)
class CurvePoint:
    """What is kept with the rule's limit at a threshold; `current` marks the limit that the rule has."""

    threshold: float
    kept: Subset
    current: bool


@dataclass(frozen=True)
class RuleCost:
    """What a rule drops: the utterances that violate it, and those of them that violate no other rule."""

    rule: Rule
    violations: Subset
    only_this_rule: Subset
    curve: list[CurvePoint]


def rule_costs(outcomes: Outcomes) -> list[RuleCost]:
    """Return the cost of each rule, with a curve for those that have a limit."""
    return [
        RuleCost(
            rule,
            violations=outcomes.of(outcomes.ruled & outcomes.violations[:, column]),
            only_this_rule=outcomes.of(outcomes.kept_without(rule) & outcomes.violations[:, column]),
            curve=threshold_curve(outcomes, column) if has_limit(rule) else [],
        )
        for column, rule in enumerate(outcomes.rules)
    ]


def threshold_curve(outcomes: Outcomes, at: int) -> list[CurvePoint]:
    """Sweep the limit of the rule at index `at`: its own and about 20 quantiles of what the other rules keep."""
    rule, compared = outcomes.rules[at], outcomes.values[at]
    assert isinstance(rule.value, float)
    others = np.flatnonzero(outcomes.kept_without(rule) & ~np.isnan(compared))
    if not len(others):
        return []
    sign = 1.0 if rule.operator in ("<", "<=") else -1.0
    values = sign * compared[others]
    order = np.argsort(values, kind="stable")
    values, others = values[order], others[order]
    always = outcomes.kept_by_people
    sums = [
        column[always].sum() + np.concatenate([[0.0], np.cumsum(column[others])])
        for column in (outcomes.seconds, outcomes.wrong, outcomes.words)
    ]
    known = values[np.isfinite(values)]
    steps = known[np.linspace(0, len(known) - 1, STEPS).astype(int)] if len(known) else known
    limits = np.unique([sign * rule.value, *steps])
    points = []
    for limit in limits:
        count = int(np.searchsorted(values, limit, side="left" if rule.operator in ("<", ">") else "right"))
        seconds, wrong, words = (float(total[count]) for total in sums)
        kept = Subset(int(always.sum()) + count, seconds / 3600, wrong / words if words else None)
        points.append(CurvePoint(float(sign * limit) + 0.0, kept, bool(limit == sign * rule.value)))
    return points if sign > 0 else points[::-1]
