"""What planted errors tell of a run: the limits of doubt, which share of errors they find, and what they lose."""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel

from winnow.evidence.found import FoundRate, LargerModel, found_rates, inside
from winnow.evidence.gather import ModelEvidence
from winnow.evidence.languages import OTHERS
from winnow.evidence.limits import REJECTED_SHARE, Band, lowest_limit, raise_for_free
from winnow.roles import Role
from winnow.text.languages import name_for

CURVE_POINTS = 25


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
