"""Which share of planted errors a run finds, estimated by what its models scored.

A planted error is found if the text with it would have been dropped: because the small model would have rejected it, or
because the model that decides on it would have found it too doubtful. A larger model knows that only of errors in what
it read; how many of the others it would have found is estimated by those.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from winnow.evidence.gather import Indices, ModelEvidence
from winnow.evidence.limits import Band
from winnow.gates.sampling import Flags, Numbers, wilson_interval

EASIER_TRIALS = 2  # that are added to what is known of references that are easier than others


class FoundRate(BaseModel, frozen=True):
    """The share (0 to 1) of planted errors of a kind that is found, and its 95 % interval."""

    planted: int
    found: float
    low: float
    high: float


class LargerModel(NamedTuple):
    """A larger model: what it says of the references that it read, also of those that were escalated, and its limit."""

    evidence: ModelEvidence
    escalated: ModelEvidence
    limit: float


def inside(doubts: Numbers, band: Band) -> Flags:
    """Tell which doubts are escalated."""
    return (doubts > band.accept) & (doubts <= band.reject)


def found_rates(small: ModelEvidence, band: Band, larger: Sequence[LargerModel]) -> dict[str, FoundRate]:
    """Return the share of each kind of planted errors that is found, counting each by how probably its row is right."""
    rates = {}
    for kind, errors in small.planted.items():
        weights = small.mixture.right[errors.at]
        if (total := float(weights.sum())) <= 0:
            continue
        escalated = inside(errors.doubt, band)
        known = float((weights * (errors.doubt > band.reject)).sum()) / total
        share_read = float(weights[escalated].sum()) / total
        read = found_by_larger(small, larger, kind, errors.at[escalated], band)
        found = min(1.0, known + share_read * read.share)  # sums of weights may exceed 1 by their last digit
        trials = effective_trials(found, total**2 / float((weights**2).sum()), share_read, read)
        low, high = wilson_interval(found * trials, trials)
        rates[kind] = FoundRate(planted=len(weights), found=found, low=min(low, found), high=max(high, found))
    return rates


class Rate(NamedTuple):
    """An estimated share (0 to 1), and the variance of the estimate."""

    share: float
    variance: float


UNKNOWN_RATE = Rate(0.5, 0.25)


def found_by_larger(small: ModelEvidence, larger: Sequence[LargerModel], kind: str, at: Indices, band: Band) -> Rate:
    """Return which share of the errors in these references larger models find: what they read tells of all like them.

    Most of what larger models read is hard, since the small model escalated it. Most of the errors are in references
    that it would accept without them, which are easier. Each model accepts what it does not doubt, so that only what
    all of them doubt is found.
    """
    if not len(at):
        return Rate(0.0, 0.0)
    easy_ids = small.ids[small.doubt <= band.accept]
    easy_share = float((small.doubt[at] <= band.accept).mean())
    share, variance = 1.0, 0.0
    for model in larger:
        errors = model.evidence.planted.get(kind)
        if errors is None:
            return UNKNOWN_RATE
        hit, weights = errors.doubt > model.limit, model.evidence.mixture.right[errors.at]
        is_easy = np.isin(model.evidence.ids[errors.at], easy_ids)
        hard = rate_of(hit, weights * ~is_easy)
        easy = rate_of_easier(hit, weights * is_easy, hard)
        share *= easy_share * easy.share + (1 - easy_share) * hard.share
        variance += easy_share**2 * easy.variance + (1 - easy_share) ** 2 * hard.variance
    return Rate(share, variance)


def rate_of(hit: Flags, weights: Numbers) -> Rate:
    """Return the weighted share of hits; its variance is that with one hit and one miss more, so that it is never 0."""
    trials = float(weights.sum())
    if trials <= 0:
        return UNKNOWN_RATE
    hits = float((hit * weights).sum())
    inner = (hits + 1) / (trials + 2)
    return Rate(min(1.0, hits / trials), inner * (1 - inner) / (trials + 1))


def rate_of_easier(hit: Flags, weights: Numbers, hard: Rate) -> Rate:
    """Return the rate of hits in references that are easier than others, whose rate is known better.

    Two trials are added to it that lie between that rate and 1: few easy references are read, often none.
    """
    trials, known = float(weights.sum()), rate_of(hit, weights)
    prior = Rate((1 + hard.share) / 2, (1 - hard.share) ** 2 / 12 + hard.variance / 4)
    part = trials / (trials + EASIER_TRIALS)
    return Rate(
        part * known.share + (1 - part) * prior.share,
        part**2 * known.variance + (1 - part) ** 2 * prior.variance,
    )


def effective_trials(found: float, planted: float, share_read: float, read: Rate) -> float:
    """Return how many trials would know a share as well as it is known.

    Its variance is that of the planted errors, and that of the rate at which larger models find the share that they
    read, which is known from fewer. Rates at 0 or 1 are moved inwards by one trial, so that they have a variance: that
    of n trials without a miss is about 1 / (n + 2)².
    """
    rate = (found * planted + 1) / (planted + 2)
    variance = rate * (1 - rate) / planted + share_read**2 * read.variance
    return max(rate * (1 - rate) / variance, 1 / sqrt(variance) - 2)
