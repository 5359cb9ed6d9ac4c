"""How a budget for the large model is spent: on the band of readings where it rescues most, as a sample shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from winnow.parameters.gate_and_filter import Bands

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEPS = 20
PRIOR = 1.0  # a reading's worth of the mean rate, in each step: one with few samples is much like the others


@dataclass(frozen=True)
class BudgetRows:
    """Rows by what the gate compares (the lower the better), their seconds, which of them were read as a sample, and
    which of those the large model rescued."""

    values: Numbers
    seconds: Numbers
    sampled: Flags
    rescued: Flags


def best_band(rows: BudgetRows, accept: float, budget: float, believed: float) -> Bands:
    """The band above `accept` that rescues most of the audio for so many seconds, the sample's among them.

    It begins and ends at steps of about equal audio, so that rows with the same value are on the same side. What the
    sample read inside it is not read again. A step's rate is that of its sample and of half of its neighbours'.
    Values up to `believed` are good enough without the large model, and are not given up; where nothing is worth it,
    or nothing can be afforded, the small model decides.
    """
    if not len(rows.values):
        return Bands(None, None)
    limits = band_edges(rows, accept)
    step = np.searchsorted(limits, rows.values, side="left") - 1  # step i: limits[i] < value <= limits[i + 1]
    inside = step >= 0
    count = len(limits) - 1

    def total(weights: Numbers | Flags, which: Flags = inside) -> Numbers:
        found: Numbers = np.bincount(step[which], weights[which].astype(float), minlength=count).astype(float)
        return found

    sampled = inside & rows.sampled
    mean = rows.rescued[sampled].mean() if sampled.any() else 0.0
    rate = (smooth(total(rows.rescued, sampled)) + PRIOR * mean) / (smooth(total(rows.sampled)) + PRIOR)
    cost = total(np.where(rows.sampled, 0.0, rows.seconds))
    worth = rate * total(rows.seconds)
    left = budget - rows.seconds[rows.sampled].sum()
    ends = [j for j in range(1, count + 1) if j == count or limits[j] >= believed]
    spans = [(i, j) for j in ends for i in range(j) if cost[i:j].sum() <= left]
    if not spans or not mean:
        return Bands(believed, believed)
    begin, end = max(spans, key=lambda span: (worth[slice(*span)].sum(), -cost[slice(*span)].sum()))
    return Bands(float(limits[begin]), float(limits[end]))


def smooth(steps: Numbers) -> Numbers:
    """Each step with half of its neighbours."""
    padded = np.pad(steps, 1)
    found: Numbers = steps + (padded[:-2] + padded[2:]) / 2
    return found


def band_edges(rows: BudgetRows, accept: float) -> Numbers:
    """Where a band may begin and end: `accept`, and values above it that part the audio into some twenty steps."""
    above = rows.values > accept
    order = np.argsort(values := rows.values[above])
    spent = np.cumsum(rows.seconds[above][order])
    if not len(spent):
        return np.array([accept])
    at = np.searchsorted(spent, spent[-1] * np.arange(1, STEPS + 1) / STEPS * (1 - 1e-12))
    return np.unique([accept, *values[order][np.minimum(at, len(order) - 1)]])
