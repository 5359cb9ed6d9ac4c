"""The band of each hypothesis: accept, escalate or reject."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from winnow.gates.criteria import CRITERIA, GateLimits, Gates, criteria_for
from winnow.gates.sampling import Flags, Numbers
from winnow.roles import Role
from winnow.rules.evaluate import evaluate
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules
from winnow.text.languages import of_languages, row_languages


def assign_bands(scored: pa.Table, role: Role, gates: Gates) -> pa.Array:
    """Return the band of each row: `accept`, `escalate` or `reject`.

    What would be accepted but violates a rule of the gate is escalated.
    """
    bands = np.full(len(scored), "escalate", object)
    for name, rows, costs in split_by_criterion(scored, role, gates.by):
        accept, reject = row_limits(scored, name, gates)
        bands[rows & (costs > reject)] = "reject"
        bands[rows & (costs <= accept)] = "accept"
    if gates.rules:
        rules = Rules(rules=gates.rules)
        violates = evaluate(rules, Operands(scored, rules)).any(axis=1)
        bands[violates & (bands == "accept")] = "escalate"
    return pa.array(bands, pa.string())


def split_by_criterion(scored: pa.Table, role: Role, by: str) -> Iterator[tuple[str, Flags, Numbers]]:
    """Yield each criterion of the gate after this model, the rows that it judges, and the cost of every row.

    A row is judged by the first criterion whose value is known of it, or else by the last one.
    """
    names = criteria_for(by, role)
    open_rows = np.ones(len(scored), bool)
    for name in names:
        criterion = CRITERIA[name]
        values = np.asarray(scored[f"{role}_{criterion.column}"].to_numpy(), np.float64)
        known = ~np.isnan(values)
        rows = open_rows if name == names[-1] else open_rows & known
        open_rows = open_rows & ~rows
        values = np.where(known, values, criterion.unknown)
        yield name, rows, values if criterion.lower_is_better else -values


def row_limits(scored: pa.Table, name: str, gates: Gates) -> tuple[Numbers, Numbers]:
    """Return the limits of each row as costs: those of its language if it has its own."""
    limits = {language: cost_limits(name, own) for language, own in gates.limits_of(name).items()}
    tags = row_languages(scored["fields"].to_pylist()) if len(limits) > 1 else [None] * len(scored)
    accept, reject = np.array(of_languages(limits, tags), np.float64).reshape(-1, 2).T
    return accept, reject


def cost_limits(name: str, limits: GateLimits) -> tuple[float, float]:
    """Return the limits as costs: minus infinity accepts nothing, infinity rejects nothing."""
    criterion = CRITERIA[name]
    accept = -np.inf if limits.accept is None else criterion.cost(limits.accept)
    reject = np.inf if limits.reject is None else criterion.cost(limits.reject)
    return accept, reject
