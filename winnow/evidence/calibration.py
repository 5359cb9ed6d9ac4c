"""What planted errors tell of a run: the limits of doubt, which share of errors they find, and what they lose.

A planted error is found if the text with it would have been dropped: because the small model would have rejected it, or
because the model that decides on it would have found it too doubtful. A larger model knows that only of errors in what
it read; how many of the others it would have found is estimated by those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from winnow.evidence.gather import Indices, ModelEvidence
from winnow.evidence.limits import REJECTED_SHARE, Band, lowest_limit, raise_for_free
from winnow.evidence.mixture import Mixture
from winnow.gates.sampling import Flags, Numbers, wilson_interval
from winnow.roles import Role

CURVE_POINTS = 25


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
    their doubt, of which `lose` was allowed.
    """

    lose: float
    models: dict[Role, ModelCalibration]
    found: dict[str, FoundRate] = {}
    lost: float = 0.0

    @property
    def limits(self) -> dict[Role, float]:
        """The limit of doubt of each model."""
        return {role: model.limit for role, model in self.models.items()}


@dataclass(frozen=True)
class LargerModel:
    """A larger model: what it says of the references that it read, which of them are right, and its limit."""

    evidence: ModelEvidence
    mixture: Mixture
    limit: float


def calibrate(
    evidence: Mapping[Role, ModelEvidence], band: Band | None, lose: float, limit: float | None = None
) -> Calibration:
    """Return the limits of a run's models, what they find and what they lose.

    `evidence` has the models in their order, `band` the doubts of the small model that the next one reads; None if the
    small model decides alone, by its own limit. That is also its limit in languages without a larger model. A `limit`
    that is given is every model's.
    """
    (role, small), *rest = evidence.items()
    first = small.mixture()
    own = lowest_limit(first, lose) if limit is None else limit
    band = band or Band(own, own)
    models = {role: summarize_model(small, first, max(own, band.accept))}
    lost, larger = first.lost(band.reject), list[LargerModel]()
    for name, model in rest:
        chosen = larger_limit(small, model, band, lose) if limit is None else limit
        larger.append(LargerModel(model, model.mixture(), chosen))
        models[name] = summarize_model(model, larger[-1].mixture, chosen)
    if larger:
        lost += lost_by_larger(small, larger[-1].evidence, band, larger[-1].limit)
    return Calibration(lose=lose, models=models, found=found_rates(small, first, band, larger), lost=lost)


def larger_limit(small: ModelEvidence, larger: ModelEvidence, band: Band, lose: float) -> float:
    """Return the limit of a larger model for what the small one escalates.

    It may lose what the small one's rejections leave of `lose`, but at least a fifth, and is raised as far as that
    costs next to nothing of what is found.
    """
    escalated = escalated_to(larger, small, band)
    if not len(escalated):
        return lowest_limit(larger.mixture(), lose)
    mixture = escalated.mixture()
    left = max(lose - small.mixture().lost(band.reject), (1 - REJECTED_SHARE) * lose)
    share = right_share(escalated, small)
    return raise_for_free(escalated, mixture, lowest_limit(mixture, min(1.0, left / max(share, 1e-9))))


def lost_by_larger(small: ModelEvidence, larger: ModelEvidence, band: Band, limit: float) -> float:
    """Return the share (0 to 1) of all right references that a larger model drops by its limit."""
    escalated = escalated_to(larger, small, band)
    return right_share(escalated, small) * escalated.mixture().lost(limit)


def right_share(escalated: ModelEvidence, small: ModelEvidence) -> float:
    """Return the share (0 to 1) of all right references that are among those that were escalated."""
    return escalated.mixture().share * len(escalated) / max(small.mixture().share * len(small), 1e-9)


def escalated_to(larger: ModelEvidence, small: ModelEvidence, band: Band) -> ModelEvidence:
    """Return what a larger model read because the small one escalated it by its doubt, not for the audit."""
    return larger.only(np.isin(larger.ids, small.ids[inside(small.doubt, band)]))


def inside(doubts: Numbers, band: Band) -> Flags:
    """Tell which doubts are escalated."""
    return (doubts > band.accept) & (doubts <= band.reject)


def found_rates(
    small: ModelEvidence, first: Mixture, band: Band, larger: Sequence[LargerModel]
) -> dict[str, FoundRate]:
    """Return the share of each kind of planted errors that is found, counting each by how probably its row is right."""
    rates = {}
    for kind, errors in small.planted.items():
        weights = first.right[errors.at]
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
    """A share (0 to 1), and how many errors it was counted in."""

    share: float
    trials: float


def found_by_larger(small: ModelEvidence, larger: Sequence[LargerModel], kind: str, at: Indices, band: Band) -> Rate:
    """Return which share of the errors in these references larger models find: what they read tells of all like them.

    References that the small model would accept without the error are easier than those that it escalates. Each model
    accepts what it does not doubt, so that only what all of them doubt is found. Half, where none was read.
    """
    easy_ids = small.ids[small.doubt <= band.accept]
    is_easy = small.doubt[at] <= band.accept
    share, trials = np.ones(len(at)), np.inf
    for model in larger:
        errors = model.evidence.planted.get(kind)
        if errors is None:
            return Rate(0.5, 0.0)
        hit, weights = errors.doubt > model.limit, model.mixture.right[errors.at]
        easy = np.isin(model.evidence.ids[errors.at], easy_ids)
        rates = {flag: weighted_mean(hit, weights * (easy == flag)) for flag in (True, False)}
        overall = weighted_mean(hit, weights)
        easy_rate, hard_rate = (overall if rates[flag] is None else rates[flag] for flag in (True, False))
        if easy_rate is None or hard_rate is None:
            return Rate(0.5, 0.0)
        share, trials = share * np.where(is_easy, easy_rate, hard_rate), min(trials, float(weights.sum()))
    return Rate(float(share.mean()), trials) if len(at) else Rate(0.0, np.inf)


def weighted_mean(flags: Flags, weights: Numbers) -> float | None:
    """Return the share of flags that are set; None if no weight is above 0."""
    total = float(weights.sum())
    return float((flags * weights).sum()) / total if total > 0 else None


def effective_trials(found: float, planted: float, share_read: float, read: Rate) -> float:
    """Return how many trials would know a share as well as it is known.

    Its variance is that of the planted errors, and that of the rate at which larger models find the share that they
    read, which is known from fewer. Rates at 0 or 1 are moved inwards by one trial, so that they have a variance.
    """
    rate = (found * planted + 1) / (planted + 2)
    trials = min(read.trials, 1e9)
    read_rate = (read.share * trials + 1) / (trials + 2)
    variance = rate * (1 - rate) / planted + share_read**2 * read_rate * (1 - read_rate) / (trials + 1)
    return rate * (1 - rate) / variance


def summarize_model(evidence: ModelEvidence, mixture: Mixture, limit: float) -> ModelCalibration:
    """Return a model's limit with the curves of what other limits would find and lose."""
    return ModelCalibration(
        references=len(evidence),
        right=mixture.share,
        limit=limit,
        doubt=curve(evidence, mixture, by_wer=False),
        wer=curve(evidence, mixture, by_wer=True),
    )


def curve(evidence: ModelEvidence, mixture: Mixture, by_wer: bool) -> list[CurvePoint]:
    """Return what limits find and lose, from those that lose half of the right references to those that lose none."""
    values = evidence.wer if by_wer else evidence.doubt
    known = ~np.isnan(values)
    if not known.any():
        return []
    weights = mixture.right[known]
    limits = np.unique(np.round(np.quantile(values[known], np.linspace(0.5, 1.0, CURVE_POINTS)), 3))
    points = []
    for limit in limits:
        found = {}
        for kind, errors in evidence.planted.items():
            scores = errors.wer if by_wer else errors.doubt
            usable = ~np.isnan(scores)
            if usable.any():
                counted = mixture.right[errors.at[usable]]
                found[kind] = float((counted * (scores[usable] > limit)).sum() / max(counted.sum(), 1e-9))
        lost = float((weights * (values[known] > limit)).sum() / max(weights.sum(), 1e-9))
        points.append(CurvePoint(limit=float(limit), lost=lost, found=found))
    return points
