"""What planted errors tell of a run: the limits of doubt, which share of errors they find, and what they lose.

A planted error is found if the text with it would have been dropped: because the small model would have rejected it, or
because the model that decides on it would have found it too doubtful. A larger model knows that only of errors in what
it read; how many of the others it would have found is estimated by those.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from winnow.evidence.gather import ModelEvidence
from winnow.evidence.limits import Band, choose_band, lowest_limit, raise_for_free
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
    references are kept up to `limit`. The curves show what limits of doubt and of WER would find and lose.
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

    def with_limit(self, limit: float) -> "Calibration":
        """Return the same with one limit for every model, which somebody chose."""
        models = {role: model.model_copy(update={"limit": limit}) for role, model in self.models.items()}
        return self.model_copy(update={"models": models, "found": {}, "lost": 0.0})

    @property
    def limits(self) -> dict[Role, float]:
        """The limit of doubt of each model."""
        return {role: model.limit for role, model in self.models.items()}


def small_band(evidence: ModelEvidence, lose: float, budget: float) -> Band:
    """Return the doubts of the small model that a larger one reads, within a share (0 to 1) of all seconds."""
    return choose_band(evidence.mixture(), evidence.doubt, evidence.seconds, lose, budget)


class LargerLimit(NamedTuple):
    """The limit of a larger model, and the share (0 to 1) of all right references that it loses."""

    limit: float
    lost: float


def larger_limit(small: ModelEvidence, larger: ModelEvidence, band: Band, lose: float) -> LargerLimit:
    """Return the limit of a larger model for what the small one escalates.

    It may lose what the small one's rejections leave of `lose`, but at least a quarter, and is raised as far as that
    costs next to nothing of what is found.
    """
    first = small.mixture()
    escalated = larger.only(np.isin(larger.rows, small.rows[inside(small.doubt, band)]))
    mixture = escalated.mixture()
    right = mixture.share * len(escalated) / max(first.share * len(small), 1e-9)
    left = max(lose - first.lost(band.reject), lose / 4)
    limit = raise_for_free(escalated, mixture, lowest_limit(mixture, min(1.0, left / max(right, 1e-9))))
    return LargerLimit(limit, right * mixture.lost(limit))


def inside(doubts: Numbers, band: Band) -> Flags:
    """Tell which doubts are escalated."""
    return (doubts > band.accept) & (doubts <= band.reject)


def calibrate(evidence: Mapping[Role, ModelEvidence], band: Band | None, lose: float) -> Calibration:
    """Return the limits of a run's models, what they find and what they lose.

    `evidence` has the models in their order, `band` the doubts of the small model that the next one reads; None if the
    small model decides alone, by its own limit.
    """
    (role, small), *larger = evidence.items()
    first = small.mixture()
    if band is None:
        limit = lowest_limit(first, lose)
        band = Band(limit, limit)
    models = {role: summarize_model(small, first, band.accept)}
    last, chosen = None, LargerLimit(0.0, 0.0)
    for name, last in larger:
        chosen = larger_limit(small, last, band, lose)
        models[name] = summarize_model(last, last.mixture(), chosen.limit)
    found = found_rates(small, first, band, last, chosen.limit)
    return Calibration(lose=lose, models=models, found=found, lost=first.lost(band.reject) + chosen.lost)


def found_rates(
    small: ModelEvidence, first: Mixture, band: Band, last: ModelEvidence | None, limit: float
) -> dict[str, FoundRate]:
    """Return the share of each kind of planted errors that is found, counting each by how probably its row is right."""
    rates = {}
    for kind, errors in small.planted.items():
        weights = first.right[errors.at]
        total = float(weights.sum())
        if total <= 0:
            continue
        found = (errors.doubt > band.reject).astype(float)
        escalated = inside(errors.doubt, band)
        if last is not None and escalated.any():
            found[escalated] = found_by_last(small, last, kind, limit, errors.at[escalated], band)
        share = float((weights * found).sum()) / total
        effective = total**2 / float((weights**2).sum())
        low, high = wilson_interval(share * effective, effective)
        rates[kind] = FoundRate(planted=len(weights), found=share, low=low, high=high)
    return rates


def found_by_last(
    small: ModelEvidence, last: ModelEvidence, kind: str, limit: float, at: np.ndarray, band: Band
) -> Numbers:
    """Return how probably a larger model finds errors in these references: what it read tells of all like them.

    References that the small model would accept without the error are easier than those that it escalates.
    """
    errors = last.planted.get(kind)
    if errors is None or not len(errors.at):
        return np.ones(len(at))
    hit = errors.doubt > limit
    easy_rows = small.rows[small.doubt <= band.accept]
    easy = np.isin(last.rows[errors.at], easy_rows)
    rates = {flag: hit[easy == flag].mean() if (easy == flag).any() else hit.mean() for flag in (True, False)}
    is_easy = small.doubt[at] <= band.accept
    return np.asarray(np.where(is_easy, rates[True], rates[False]), np.float64)


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
