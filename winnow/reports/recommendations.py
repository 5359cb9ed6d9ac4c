"""What the figures of a report suggest: each recommendation is one function and one entry in `RECOMMENDATIONS`.

An option is only named if the run's parameters with another value of it are valid; see `if_accepted`.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple

from pydantic import ValidationError

from winnow.gates.criteria import criteria_for
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.reports.formatting import code_span
from winnow.reports.summary import Report
from winnow.reports.wer_distribution import WER_LEVELS
from winnow.runs.run_record import Derivation
from winnow.schema import QUARANTINE_REASONS, RETRIABLE, remedy_for

Advice = Callable[[Report, Settings], Iterator[str]]


def recommend(report: Report, settings: Settings, derived: Derivation | None = None) -> list[str]:
    """Return all recommendations for a run; `derived` if it reuses another run's hypotheses."""
    advice = [sentence for check in RECOMMENDATIONS for sentence in check(report, settings)]
    advice += repairable_audio(report, derived)
    return advice or (["Nothing stands out."] if report.kept else [])


def if_accepted(settings: Settings, group: str, option: str, value: float | None, words: str) -> Iterator[str]:
    """Yield a recommendation about an option, in these words, if a run with that value of it would start."""
    options = getattr(settings, group)
    if value == getattr(options, option):
        return
    changed = settings.model_copy(update={group: options.model_copy(update={option: value})})
    with suppress(ValidationError):
        type(settings).model_validate(changed.model_dump())
        yield words


def high_wer(report: Report, settings: Settings) -> Iterator[str]:
    """As in NeMo Curator's guide to WER filtering, unless the model reads most utterances well."""
    mean = report.wer["all"].mean
    if mean is not None and mean > 0.30 and not mostly_read_well(report):
        yield f"The mean WER is {mean:.0%}: try a larger model, and listen to some of the audio."


def varying_wer(report: Report, settings: Settings) -> Iterator[str]:
    """As in NeMo Curator's guide to WER filtering, unless the model reads most utterances well."""
    std, median = report.wer["all"].std, report.wer["all"].median
    if std is None or std <= 0.20:
        return
    if mostly_read_well(report):
        yield (
            f"The WER varies widely (standard deviation {std:.0%}), but half of the utterances have a WER of at most "
            f"{median:.1%}: the model fits, and most utterances with a high WER probably have wrong references. "
            "Compare them with the audio, beginning with the examples below."
        )
    else:
        yield (
            f"The WER varies widely (standard deviation {std:.0%}): look at the examples below, and consider a model "
            "that was trained for this domain."
        )


def mostly_read_well(report: Report) -> bool:
    """Tell whether half of the utterances have an excellent WER.

    A model that does not fit reads nearly all utterances badly; wrong references raise the WER of their own only.
    """
    median = report.wer["all"].median
    return median is not None and median <= WER_LEVELS["excellent"]


def doubtful_references(report: Report, settings: Settings) -> Iterator[str]:
    if report.dropped and report.alike / report.dropped >= 0.10:
        yield (
            f"Both models have the same words in {report.alike:,} of {report.dropped:,} dropped utterances: probably "
            "the references are wrong and the audio is good. `pred_text` in `rejects/` may serve as a new reference."
        )


def proposed_references(report: Report, settings: Settings) -> Iterator[str]:
    """Name `relabel` unless the run, or the one that it was made from, was relabelled: it would be refused."""
    if report.proposals.utterances and not report.relabelled:
        rejected = report.bands["reject"].utterances if "reject" in report.bands else 0
        none = (
            f" The {rejected:,} that the gate rejected have none, since only one model read them." if rejected else ""
        )
        yield (
            f"{report.proposals.utterances:,} dropped utterances ({report.proposals.hours:.3f} h) have a proposal for "
            f"their reference: `winnow relabel` makes a run that has it in the place of the reference.{none}"
        )


def useless_large_model(report: Report, settings: Settings) -> Iterator[str]:
    if not report.bands:
        return
    small, large = (report.wer[f"escalated, {role} model"].mean for role in ("small", "large"))
    if small is not None and large is not None and large >= small:
        yield (
            f"On escalated utterances the large model (mean WER {large:.0%}) is no better than the small one "
            f"({small:.0%}): choose another large model."
        )


def too_much_escalated(report: Report, settings: Settings) -> Iterator[str]:
    share = report.escalated_hours / report.hours if report.hours else 0.0
    if isinstance(settings, Curation) and "escalate" in report.bands and share > 0.5:
        options = " or ".join(["a better small model", *escalate_less(report, settings)])
        yield f"{share:.0%} of the audio was escalated: {options} would make the cascade faster."


def escalate_less(report: Report, settings: Curation) -> Iterator[str]:
    """Name the option that makes the gate escalate less, if it can still be changed."""
    gate, limit = settings.gate, settings.filter.max_kept_wer
    limits = settings.gates_after_small.limits[compared_by_gate(report, settings)]
    if gate.preset == "budget":
        yield from if_accepted(settings, "gate", "budget", gate.budget_share / 2, "a lower `gate.budget`")
    elif compared_by_gate(report, settings) == "confidence":
        value = 0.5 if limits.accept is None else (limits.accept + (limits.reject or 0.0)) / 2
        words = "setting `gate.accept_confidence`" if limits.accept is None else "a lower `gate.accept_confidence`"
        yield from if_accepted(settings, "gate", "accept_confidence", value, words)
    elif limit is None or limits.accept is None or limits.accept < limit:
        most = "" if limit is None else f" (at most {limit:g}, the filter's limit)"
        words = f"{'setting' if limits.accept is None else 'a higher'} `gate.accept`{most}"
        value = min(value for value in (limit, limits.reject, 1.0) if value is not None)
        yield from if_accepted(settings, "gate", "accept", value, words)


def escalate_fewer_bad(report: Report, settings: Curation) -> Iterator[str]:
    """Name the option that makes the gate reject more, if it can still be changed."""
    gate = settings.gate
    accept, reject = astuple(settings.gates_after_small.limits[compared_by_gate(report, settings)])
    if gate.preset == "budget":
        yield from if_accepted(settings, "gate", "budget", gate.budget_share / 2, "a lower `gate.budget`")
    elif compared_by_gate(report, settings) == "confidence":
        value = ((reject or 0.0) + (1.0 if accept is None else accept)) / 2
        words = "setting `gate.reject_confidence`" if reject is None else "a higher `gate.reject_confidence`"
        yield from if_accepted(settings, "gate", "reject_confidence", value, words)
    elif reject is None or reject > (accept or 0.0):
        value = ((accept or 0.0) + (1.0 if reject is None else reject)) / 2
        words = "setting `gate.reject`" if reject is None else "a lower `gate.reject`"
        yield from if_accepted(settings, "gate", "reject", value, words)


def compared_by_gate(report: Report, settings: Curation) -> str:
    """Return the criterion that decides most at the gate after the small model: wer or confidence."""
    criteria = criteria_for(settings.gate.by, "small")
    return criteria[0] if len(criteria) == 1 or report.compared else criteria[-1]


def hopeless_escalations(report: Report, settings: Settings) -> Iterator[str]:
    escalate = report.bands.get("escalate")
    if not isinstance(settings, Curation) or not escalate or escalate.utterances < 20:
        return
    if escalate.kept / escalate.utterances < 0.05:
        for option in escalate_fewer_bad(report, settings):
            yield (
                f"Only {escalate.kept:,} of {escalate.utterances:,} escalated utterances were kept: {option} would "
                "save time and lose little."
            )


def useless_ensemble(report: Report, settings: Settings) -> Iterator[str]:
    ensemble = report.wer["all"].mean
    models = {role: report.wer[role].mean for role in report.speed if role in report.wer}
    rates = {role: mean for role, mean in models.items() if mean is not None}
    if not isinstance(settings, Ensemble) or ensemble is None or min(rates.values(), default=ensemble) >= ensemble:
        return
    best = min(rates, key=rates.__getitem__)
    options = ["leave out the weakest of the others"] if len(settings.models) > 2 else [f"use {best} alone"]
    if settings.method == "rover" and settings.rover.alpha:
        words = "give confidence more weight (a lower `rover.alpha`)"
        options += if_accepted(settings, "rover", "alpha", settings.rover.alpha / 2, words)
    better = f"{best} alone (mean WER {rates[best]:.1%}) is better than the ensemble ({ensemble:.1%})"
    yield f"{better}: {', or '.join(options)}."


def many_quarantined(report: Report, settings: Settings) -> Iterator[str]:
    most_frequent = next((reason for reason in report.reasons if reason in QUARANTINE_REASONS), "")
    if report.utterances and report.quarantined / report.utterances > 0.05 and most_frequent not in RETRIABLE:
        remedy = remedy_for(most_frequent, settings.referenced)
        yield (
            f"{report.quarantined / report.utterances:.0%} of the utterances were quarantined, most often for "
            f"`{most_frequent}`: repair the manifest, and use a new output folder."
            + (f" Or, also in a new folder: {remedy}." if remedy else "")
        )


def repairable_audio(report: Report, derived: Derivation | None) -> Iterator[str]:
    """Name the command that tries utterances again; a derived run has to be made again after that."""
    counts = {name: count.utterances for name, count in report.reasons.items() if name in RETRIABLE}
    if counts:
        listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        again = f" OUT is {code_span(derived.run)}; after that, `{derived.flow}` it again." if derived else ""
        yield (
            f"Some audio could not be used ({listed}): once it is there or repaired, `winnow resume OUT --retry "
            f"{','.join(counts)}` tries only these utterances again.{again}"
        )


RECOMMENDATIONS: tuple[Advice, ...] = (
    high_wer,
    varying_wer,
    doubtful_references,
    proposed_references,
    useless_large_model,
    too_much_escalated,
    useless_ensemble,
    hopeless_escalations,
    many_quarantined,
)
