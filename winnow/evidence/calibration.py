"""What planted errors tell of a run: the limits of doubt, which share of errors they find, and what they lose.

A planted error is found if the text with it would have been dropped: because the small model would have rejected it, or
because the model that decides on it would have found it too doubtful. A larger model knows that only of errors in what
it read; how many of the others it would have found is estimated by those.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from winnow.evidence.gather import Indices, ModelEvidence
from winnow.evidence.languages import OTHERS
from winnow.evidence.limits import REJECTED_SHARE, Band, lowest_limit, raise_for_free
from winnow.gates.sampling import Flags, Numbers, wilson_interval
from winnow.roles import Role
from winnow.text.languages import name_for

CURVE_POINTS = 25

EASIER_TRIALS = 2  # that are added to what is known of references that are easier than others


class FoundRate(BaseModel, frozen=True):
    """The share (0 to 1) of planted errors of a kind that is found, and its 95 % interval."""

    planted: int
    found: float
    low: float
    high: float


class CurvePoint(BaseModel, frozen=True):
    """What a limit loses of the right references, and finds of each kind of planted errors, as shares (0 to 1)."""

    limit: float
    lost: float
    found: dict[str, float]


class ModelCalibration(BaseModel, frozen=True):
    """What planted errors tell of one model.

    It has evidence for `references`, of which the share `right` (0 to 1) is estimated to be right. Where it decides,
    references are kept up to `limit`. The curves show what other limits of doubt and of WER would find and lose.
    """

    references: int
    right: float
    limit: float
    doubt: list[CurvePoint] = []
    wer: list[CurvePoint] = []


class Calibration(BaseModel, frozen=True):
    """What planted errors tell of a run: of each of its models, and of all together.

    `found` has each kind of errors; `lost` is the estimated share (0 to 1) of right references that are dropped for
    their doubt, of which `lose` was allowed. Where languages are judged apart, `languages` has what is told of each,
    under `mul` of all others; `found` and `lost` are those of the whole run, and `models` have the limits of all
    languages that have none of their own.
    """

    lose: float
    models: dict[Role, ModelCalibration]
    found: dict[str, FoundRate] = {}
    lost: float = 0.0
    languages: dict[str, "Calibration"] = {}

    @property
    def limits(self) -> dict[str, float]:
        """The limit of doubt of each model; in languages that have limits of their own, as `small for de`."""
        shared = {role: model.limit for role, model in self.models.items()}
        own = {
            name_for(role, language): model.limit
            for language, calibration in self.languages.items()
            for role, model in calibration.models.items()
            if language != OTHERS
        }
        return shared | own


class LargerModel(NamedTuple):
    """A larger model: what it says of the references that it read, also of those that were escalated, and its limit."""

    evidence: ModelEvidence
    escalated: ModelEvidence
    limit: float


def calibrate(
    evidence: Mapping[Role, ModelEvidence], band: Band | None, lose: float, limits: Mapping[Role, float] | None = None
) -> Calibration:
    """Return the limits of a run's models, what they find and what they lose.

    `evidence` has the models in their order, `band` the doubts of the small model that the next one reads; None if the
    small model decides alone, by its own limit. That is also its limit in languages without a larger model. Models have
    these `limits` if they are given.
    """
    (role, small), *rest = evidence.items()
    own = lowest_limit(small.mixture, lose) if limits is None else limits[role]
    band = band or Band(own, own)
    models = {role: summarize_model(small, max(own, band.accept))}
    lost, larger = small.mixture.lost(band.reject), list[LargerModel]()
    for name, model in rest:
        escalated = escalated_to(model, small, band)
        limit = limit_of_escalated(escalated, model, small, band, lose) if limits is None else limits[name]
        larger.append(LargerModel(model, escalated, limit))
        models[name] = summarize_model(model, limit)
    if larger:
        last = larger[-1]
        lost += right_share(last.escalated, small) * last.escalated.mixture.lost(last.limit)
    return Calibration(lose=lose, models=models, found=found_rates(small, band, larger), lost=lost)


def larger_limit(small: ModelEvidence, larger: ModelEvidence, band: Band, lose: float) -> float:
    """Return the limit of a larger model for what the small one escalates."""
    return limit_of_escalated(escalated_to(larger, small, band), larger, small, band, lose)


def limit_of_escalated(
    escalated: ModelEvidence, larger: ModelEvidence, small: ModelEvidence, band: Band, lose: float
) -> float:
    """Return the limit of a larger model for what was escalated of what it read.

    It may lose what the small one's rejections leave of `lose`, but at least a fifth, and is raised as far as that
    costs next to nothing of what is found.
    """
    if not len(escalated):
        return lowest_limit(larger.mixture, lose)
    left = max(lose - small.mixture.lost(band.reject), (1 - REJECTED_SHARE) * lose)
    limit = lowest_limit(escalated.mixture, min(1.0, left / max(right_share(escalated, small), 1e-9)))
    return raise_for_free(escalated, limit)


def right_share(escalated: ModelEvidence, small: ModelEvidence) -> float:
    """Return the share (0 to 1) of all right references that are among those that were escalated."""
    return escalated.mixture.share * len(escalated) / max(small.mixture.share * len(small), 1e-9)


def escalated_to(larger: ModelEvidence, small: ModelEvidence, band: Band) -> ModelEvidence:
    """Return what a larger model read because the small one escalated it by its doubt, not for the audit."""
    return larger.only(np.isin(larger.ids, small.ids[inside(small.doubt, band)]))


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


def summarize_model(evidence: ModelEvidence, limit: float) -> ModelCalibration:
    """Return a model's limit with the curves of what other limits would find and lose."""
    return ModelCalibration(
        references=len(evidence),
        right=evidence.mixture.share,
        limit=limit,
        doubt=curve(evidence, by_wer=False),
        wer=curve(evidence, by_wer=True),
    )


def curve(evidence: ModelEvidence, by_wer: bool) -> list[CurvePoint]:
    """Return what limits find and lose, from those that lose half of the right references to those that lose none."""
    values = evidence.wer if by_wer else evidence.doubt
    known = ~np.isnan(values)
    if not known.any():
        return []
    weights = evidence.mixture.right[known]
    limits = np.unique(np.round(np.quantile(values[known], np.linspace(0.5, 1.0, CURVE_POINTS)), 3))
    points = []
    for limit in limits:
        found = {}
        for kind, errors in evidence.planted.items():
            scores = errors.wer if by_wer else errors.doubt
            usable = ~np.isnan(scores)
            if usable.any():
                counted = evidence.mixture.right[errors.at[usable]]
                found[kind] = float((counted * (scores[usable] > limit)).sum() / max(counted.sum(), 1e-9))
        lost = float((weights * (values[known] > limit)).sum() / max(weights.sum(), 1e-9))
        points.append(CurvePoint(limit=float(limit), lost=lost, found=found))
    return points
