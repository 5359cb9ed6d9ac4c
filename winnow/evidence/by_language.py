"""What planted errors tell of a run whose languages are judged apart: of each, and of all together."""

from collections.abc import Mapping, Sequence
from math import hypot

from winnow.evidence.calibration import Calibration, calibrate
from winnow.evidence.found import FoundRate
from winnow.evidence.languages import Models, split_by_language
from winnow.evidence.limits import Band
from winnow.roles import Role


def calibrate_languages(
    evidence: Models,
    bands: Mapping[str | None, Band],
    lose: float,
    routed: Mapping[str, Sequence[Role]],
    limits: Mapping[Role, float] | None = None,
) -> Calibration:
    """Return what planted errors tell of a run, and of each of its languages that is judged apart.

    `bands` are the doubts that the small model escalates, by language, under None in all others; there are none if it
    is the only model. `routed` are the languages with models of their own, and their roles. Models have these `limits`
    if they are given, in every language.
    """
    split = split_by_language(evidence, routed)

    def calibrate_part(name: str | None, part: Models, limits: Mapping[Role, float] | None) -> Calibration:
        return calibrate(part, bands.get(name, bands.get(None)) if len(part) > 1 else None, lose, limits)

    if len(split.parts) < 2:
        return calibrate_part(None, next(iter(split.parts.values()), evidence), limits)
    shared = calibrate_part(None, split.shared, limits)
    languages = {
        name: calibrate_part(name, part, limits if name in split.own else shared.limits)
        for name, part in split.parts.items()
    }
    found, lost = combine(list(languages.values()))
    return shared.model_copy(update={"found": found, "lost": lost, "languages": languages})


def combine(parts: Sequence[Calibration]) -> tuple[dict[str, FoundRate], float]:
    """Return what is found of each kind of errors in all parts together, and what is lost.

    Each part counts by its right references, and the interval follows from those of the parts (Zou and Donner 2008,
    Construction of confidence limits about effect measures, Statistics in Medicine 27).
    """
    weights = [right_references(part) for part in parts]
    found = {}
    for kind in dict.fromkeys(kind for part in parts for kind in part.found):
        rates = [(part.found[kind], weight) for part, weight in zip(parts, weights, strict=True) if kind in part.found]
        total = sum(weight for _, weight in rates)
        share = sum(rate.found * weight for rate, weight in rates) / total
        below = hypot(*((rate.found - rate.low) * weight / total for rate, weight in rates))
        above = hypot(*((rate.high - rate.found) * weight / total for rate, weight in rates))
        planted = sum(rate.planted for rate, _ in rates)
        found[kind] = FoundRate(planted=planted, found=share, low=max(0.0, share - below), high=min(1.0, share + above))
    lost = sum(part.lost * weight for part, weight in zip(parts, weights, strict=True)) / sum(weights)
    return found, lost


def right_references(calibration: Calibration) -> float:
    """Return how many of the references are estimated to be right."""
    small, *_ = calibration.models.values()
    return small.references * small.right
