"""Choose limits of doubt: as many planted errors found as possible, at no more than a stated share of the rest lost.

For one model there is one limit: it is where the stated share of right references has more doubt. In a cascade the
small model accepts what has little doubt and rejects what is hopeless; the larger one reads what lies between, as much
as the budget allows, and its limit decides there. Of what may be lost, the small model's rejections lose four fifths.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from winnow.evidence.gather import ModelEvidence
from winnow.evidence.mixture import EDGES, Mixture
from winnow.evidence.planting import ONE_WORD
from winnow.gates.sampling import draw_numbers

HIGHEST_LIMIT = float(EDGES[-2])
STEP = 0.05  # of the limits that are tried, in doubt

FREE = 0.01
"""The share of planted errors of one word that raising a limit may cost."""

FEW = 10
"""Planted errors: so many raise a limit half as far as very many would."""

REJECTED_SHARE = 0.8
"""Of what may be lost, the part that a small model may lose by rejecting; chosen on speech that no table is of."""


class Band(NamedTuple):
    """What a larger model reads: doubts above `accept` and up to `reject`."""

    accept: float
    reject: float


def lowest_limit(mixture: Mixture, lose: float) -> float:
    """Return the lowest limit at which at most this share (0 to 1) of the right references has more doubt."""
    limits = np.arange(0.0, HIGHEST_LIMIT, STEP)
    lost = np.array([mixture.lost(limit) for limit in limits])
    return float(round(limits[np.argmax(lost <= lose)], 4))


def choose_band(
    evidence: ModelEvidence,
    lose: float,
    budget: float,
    audit: float = 0.0,
    reject: float | None = None,
    spent: float = 0.0,
) -> Band:
    """Return the band that a larger model reads within a budget, a share (0 to 1) of all seconds.

    The budget includes the audit of a share (0 to 1) of the utterances, which are drawn already, and
    up to half of it what is `spent` otherwise, in seconds. What is rejected loses at most four fifths of `lose`, unless
    that limit is given; the rest of the budget goes to lower doubts, which hide errors of one word.
    """
    doubts, audited = evidence.doubt, draw_numbers(pa.array(evidence.ids)) < audit
    seconds = budget * evidence.seconds.sum()
    left = seconds - min(spent, seconds / 2) - evidence.seconds[audited].sum()
    if reject is None:
        reject = lowest_limit(evidence.mixture, REJECTED_SHARE * lose)
    order = np.argsort(-doubts, kind="stable")
    below = order[doubts[order] <= reject]
    needed = np.cumsum(np.where(audited, 0.0, evidence.seconds)[below])
    affordable = int(np.searchsorted(needed, left, side="right"))
    if affordable == len(below):
        return Band(0.0, reject)
    return Band(max(0.0, float(doubts[below[affordable]])), reject)


def raise_for_free(evidence: ModelEvidence, limit: float) -> float:
    """Raise a limit as far as it still finds all but 1 % of the planted errors of one word.

    It is raised less far by few errors, which hardly show where that is.
    """
    errors = [evidence.planted[kind] for kind in ONE_WORD if kind in evidence.planted]
    if not sum(len(error.at) for error in errors):
        return limit
    doubts = np.concatenate([error.doubt for error in errors])
    weights = np.concatenate([evidence.mixture.right[error.at] for error in errors])
    order = np.argsort(doubts)
    total = float(weights.sum())
    missed = np.cumsum(weights[order]) / max(total, 1e-9)
    first_found = doubts[order][min(len(order) - 1, int(np.searchsorted(missed, FREE, side="right")))]
    free = min(np.nextafter(first_found, -np.inf), HIGHEST_LIMIT)
    return float(limit + max(0.0, free - limit) * total / (total + FEW))
