"""The options that make a gate escalate less, as recommendations name them."""

from dataclasses import astuple
from typing import NamedTuple

from winnow.gates.criteria import criteria_for
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.reports.follow_up import FollowUp
from winnow.reports.summary import Report


class Option(NamedTuple):
    """An option that can still be changed: in which direction, in words, and the parameters with another value."""

    words: str
    settings: Settings


def escalate_less(report: Report, follow_up: FollowUp) -> Option | None:
    """Return the option that makes the gate escalate less, if it can still be changed."""
    settings = follow_up.settings
    assert isinstance(settings, Curation)
    gate, limit = settings.gate, settings.filter.max_kept_wer
    limits = settings.gates_after_small.limits[compared_by_gate(report, settings)]
    if gate.preset == "budget":
        return changed(follow_up, "budget", gate.budget_share / 2, "a lower `gate.budget`")
    if compared_by_gate(report, settings) == "confidence":
        value = 0.5 if limits.accept is None else (limits.accept + (limits.reject or 0.0)) / 2
        words = "setting `gate.accept_confidence`" if limits.accept is None else "a lower `gate.accept_confidence`"
        return changed(follow_up, "accept_confidence", value, words)
    if limit is None or limits.accept is None or limits.accept < limit:
        most = "" if limit is None else f" (at most {limit:g}, the filter's limit)"
        words = f"{'setting' if limits.accept is None else 'a higher'} `gate.accept`{most}"
        value = min(value for value in (limit, limits.reject, 1.0) if value is not None)
        return changed(follow_up, "accept", value, words)
    return None


def escalate_fewer_bad(report: Report, follow_up: FollowUp) -> Option | None:
    """Return the option that makes the gate reject more, if it can still be changed."""
    settings = follow_up.settings
    assert isinstance(settings, Curation)
    gate = settings.gate
    accept, reject = astuple(settings.gates_after_small.limits[compared_by_gate(report, settings)])
    if gate.preset == "budget":
        return changed(follow_up, "budget", gate.budget_share / 2, "a lower `gate.budget`")
    if compared_by_gate(report, settings) == "confidence":
        value = ((reject or 0.0) + (1.0 if accept is None else accept)) / 2
        words = "setting `gate.reject_confidence`" if reject is None else "a higher `gate.reject_confidence`"
        return changed(follow_up, "reject_confidence", value, words)
    if reject is None or reject > (accept or 0.0):
        value = ((accept or 0.0) + (1.0 if reject is None else reject)) / 2
        words = "setting `gate.reject`" if reject is None else "a lower `gate.reject`"
        return changed(follow_up, "reject", value, words)
    return None


def changed(follow_up: FollowUp, name: str, value: float, words: str) -> Option | None:
    """Return an option of the gate with this value, if a run with it would start."""
    settings = follow_up.with_option("gate", name, value)
    return Option(words, settings) if settings else None


def compared_by_gate(report: Report, settings: Curation) -> str:
    """Return the criterion that decides most at the gate after the small model: wer or confidence."""
    criteria = criteria_for(settings.gate.by, "small")
    return criteria[0] if len(criteria) == 1 or report.compared else criteria[-1]
