"""A budget for the large model, spent on the band of hypotheses where a sample shows that it rescues most."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from winnow.gates.bands import cost_limits, split_by_criterion
from winnow.gates.candidates import is_rescued, is_sampled, is_transcribed, to_floats
from winnow.gates.criteria import CRITERIA, GateLimits, Gates
from winnow.gates.sampling import Flags, Numbers
from winnow.text.comparison import Comparison

STEPS = 20
PRIOR = 1.0  # one utterance with the mean rate is added to each step, so that one with few samples is near the mean


@dataclass(frozen=True)
class Budget:
    """What the large model may spend, and what counts as rescued.

    `share` (0 to 1) is of the time that the large model would take for everything. `gates` are those before the bands
    are chosen, `wer_limit` is the highest WER that the filter keeps.
    """

    share: float
    gates: Gates
    wer_limit: float | None
    comparison: Comparison


@dataclass(frozen=True)
class BudgetRows:
    """The rows that one criterion judges: costs (lower is better) and seconds of each, and which of them were sampled.

    `rescued` are those of the sample that the large model rescued.
    """

    costs: Numbers
    seconds: Numbers
    sampled: Flags
    rescued: Flags


class CostBand(NamedTuple):
    """A band that is escalated: costs above `accept` and up to `reject`."""

    accept: float
    reject: float


def choose_gates(shards: Iterable[pa.Table], budget: Budget, share: float) -> Gates:
    """Return the gates that rescue most for the budget.

    The shards contain the large model's hypotheses of a sample: this share (0 to 1) of the candidates.
    """
    parts: dict[str, list[BudgetRows]] = {}
    for shard in shards:
        for name, rows in rows_by_criterion(shard, budget, share).items():
            parts.setdefault(name, []).append(rows)
    chosen = {name: choose_limits(name, concatenate(rows), budget) for name, rows in parts.items()}
    return budget.gates.model_copy(update={"limits": budget.gates.limits | chosen})


def rows_by_criterion(shard: pa.Table, budget: Budget, share: float) -> dict[str, BudgetRows]:
    """Summarize a shard, without its texts, by the criterion that judges each row."""
    rows = shard.filter(pa.array(is_transcribed(shard)))
    sampled, seconds = is_sampled(rows, share, budget.gates), to_floats(rows["duration"])
    rescued = np.zeros(len(rows), bool)
    rescued[sampled] = is_rescued(rows.filter(pa.array(sampled)), budget.wer_limit, budget.comparison)
    return {
        name: BudgetRows(costs[judged], seconds[judged], sampled[judged], rescued[judged])
        for name, judged, costs in split_by_criterion(rows, "small", budget.gates.by)
    }


def concatenate(parts: list[BudgetRows]) -> BudgetRows:
    """Join the rows of several shards."""
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(BudgetRows)
    }
    return BudgetRows(**columns)


def choose_limits(name: str, rows: BudgetRows, budget: Budget) -> GateLimits:
    """Return the limits of a criterion whose band rescues most for the budget's share of these rows."""
    if not len(rows.costs):
        return GateLimits()
    criterion = CRITERIA[name]
    accept, _ = cost_limits(name, budget.gates.limits[name])
    if criterion.needs_reference and budget.wer_limit is not None:
        good_enough = criterion.cost(budget.wer_limit)
    else:
        good_enough = max(float(rows.costs.max()), criterion.cost(criterion.unknown))
    band = best_band(rows, accept, budget.share * float(rows.seconds.sum()), good_enough)
    return GateLimits(
        accept=None if band.accept == -np.inf else criterion.from_cost(band.accept),
        reject=criterion.from_cost(band.reject),
    )


def best_band(rows: BudgetRows, accept: float, budget: float, good_enough: float) -> CostBand:
    """Return the band above the cost `accept` that rescues most audio for a budget in seconds, including the sample's.

    The band begins and ends at steps of about equal audio, so that rows of equal cost are on the same side. What was
    sampled inside it is not transcribed again. The rate of a step also counts the samples of its neighbours, by half.
    Rows with costs up to `good_enough` are kept without the large model, so they are never rejected; if nothing is
    worth the time, or nothing can be afforded, the small model decides.
    """
    limits = band_edges(rows, accept)
    step = np.searchsorted(limits, rows.costs, side="left") - 1  # step i: limits[i] < cost <= limits[i + 1]
    inside = step >= 0
    count = len(limits) - 1

    def total(weights: Numbers | Flags, which: Flags = inside) -> Numbers:
        """Sum weights by step."""
        return np.asarray(np.bincount(step[which], weights[which].astype(float), minlength=count), float)

    sampled = inside & rows.sampled
    mean = rows.rescued[sampled].mean() if sampled.any() else 0.0
    rate = (smooth(total(rows.rescued, sampled)) + PRIOR * mean) / (smooth(total(rows.sampled)) + PRIOR)
    price = total(np.where(rows.sampled, 0.0, rows.seconds))
    worth = rate * total(rows.seconds)
    left = budget - rows.seconds[rows.sampled].sum()
    ends = [j for j in range(1, count + 1) if j == count or limits[j] >= good_enough]
    spans = [(i, j) for j in ends for i in range(j) if price[i:j].sum() <= left]
    if not spans or not mean:
        return CostBand(good_enough, good_enough)
    begin, end = max(spans, key=lambda span: (worth[slice(*span)].sum(), -price[slice(*span)].sum()))
    return CostBand(float(limits[begin]), float(limits[end]))


def smooth(steps: Numbers) -> Numbers:
    """Add to each step half of its neighbours."""
    padded = np.pad(steps, 1)
    return np.asarray(steps + (padded[:-2] + padded[2:]) / 2)


def band_edges(rows: BudgetRows, accept: float) -> Numbers:
    """Return where a band may begin and end: `accept`, and costs above it that divide the audio into about 20 steps."""
    above = rows.costs > accept
    order = np.argsort(costs := rows.costs[above])
    spent = np.cumsum(rows.seconds[above][order])
    if not len(spent):
        return np.array([accept])
    at = np.searchsorted(spent, spent[-1] * np.arange(1, STEPS + 1) / STEPS * (1 - 1e-12))
    return np.unique([accept, *costs[order][np.minimum(at, len(order) - 1)]])
