"""What the figures of a report suggest: each recommendation is one function and one entry in `RECOMMENDATIONS`.

An option is only named if the run's parameters with another value of it are valid; see `FollowUp.with_option`.
"""

from collections.abc import Callable, Iterator

from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.reports.escalation_advice import escalate_fewer_bad, escalate_less
from winnow.reports.follow_up import FollowUp, as_curation
from winnow.reports.recommendation import Recommendation, figure_at
from winnow.reports.summary import Report
from winnow.reports.wer_distribution import WER_LEVELS
from winnow.schema import QUARANTINE_REASONS, RETRIABLE, remedy_for

Advice = Callable[[Report, FollowUp], Iterator[Recommendation]]


def recommend(report: Report, follow_up: FollowUp) -> list[Recommendation]:
    """Return all recommendations for a run."""
    return [advice for check in RECOMMENDATIONS for advice in check(report, follow_up)]


def advise(report: Report, kind: str, sentence: str, figures: list[str], command: str | None) -> Recommendation:
    """Return a recommendation with the values of these figures."""
    values = report.model_dump()
    evidence = {path: float(figure_at(values, path)) for path in figures}
    return Recommendation(kind=kind, sentence=sentence, evidence=evidence, command=command)


def high_wer(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    """As in NeMo Curator's guide to WER filtering, unless the model reads most utterances well."""
    mean = report.wer["all"].mean
    if mean is not None and mean > 0.30 and not mostly_read_well(report):
        sentence = f"The mean WER is {mean:.0%}: try a larger model, and listen to some of the audio."
        yield advise(report, "high_wer", sentence, ["wer.all.mean"], follow_up.list_models())


def varying_wer(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    """As in NeMo Curator's guide to WER filtering, unless the model reads most utterances well."""
    std, median = report.wer["all"].std, report.wer["all"].median
    if std is None or std <= 0.20:
        return
    varies = f"The WER varies widely (standard deviation {std:.0%})"
    if mostly_read_well(report):
        sentence = (
            f"{varies}, but half of the utterances have a WER of at most {median:.1%}: the model fits, and most "
            "utterances with a high WER probably have wrong references. Compare them with the audio, beginning with "
            "the examples in the report."
        )
        yield advise(report, "wrong_references", sentence, ["wer.all.std", "wer.all.median"], follow_up.look())
    else:
        sentence = (
            f"{varies}: look at the examples in the report, and consider a model that was trained for this domain."
        )
        yield advise(report, "varying_wer", sentence, ["wer.all.std"], follow_up.list_models())


def mostly_read_well(report: Report) -> bool:
    """Tell whether half of the utterances have an excellent WER.

    A model that does not fit reads nearly all utterances badly; wrong references raise the WER of their own only.
    """
    median = report.wer["all"].median
    return median is not None and median <= WER_LEVELS["excellent"]


def doubtful_references(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    if report.dropped and report.alike / report.dropped >= 0.10:
        sentence = (
            f"Both models have the same words in {report.alike:,} of {report.dropped:,} dropped utterances: probably "
            "the references are wrong and the audio is good. `pred_text` in `rejects/` may serve as a new reference."
        )
        yield advise(report, "doubtful_references", sentence, ["alike", "dropped"], follow_up.look())


def proposed_references(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    """Name `relabel` unless the run, or the one that it was made from, was relabelled: it would be refused."""
    is_relabelled = report.relabelled or (follow_up.derived and follow_up.derived.flow == "relabel")
    if report.proposals.utterances and not is_relabelled:
        figures = ["proposals.utterances", "proposals.hours"]
        none = ""
        if "reject" in report.bands and report.bands["reject"].utterances:
            figures.append("bands.reject.utterances")
            rejected = report.bands["reject"].utterances
            none = f" The {rejected:,} that the gate rejected have none, since only one model read them."
        sentence = (
            f"{report.proposals.utterances:,} dropped utterances ({report.proposals.hours:.3f} h) have a proposal for "
            f"their reference: `winnow relabel` makes a run that has it in the place of the reference.{none}"
        )
        yield advise(report, "proposed_references", sentence, figures, follow_up.relabel())


def useless_large_model(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    if not report.bands:
        return
    names = [f"escalated, {role} model" for role in ("small", "large")]
    small, large = (report.wer[name].mean for name in names)
    if small is not None and large is not None and large >= small:
        sentence = (
            f"On escalated utterances the large model (mean WER {large:.0%}) is no better than the small one "
            f"({small:.0%}): choose another large model."
        )
        figures = [f"wer.{name}.mean" for name in names]
        yield advise(report, "useless_large_model", sentence, figures, follow_up.list_models())


def too_much_escalated(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    share = report.escalated_hours / report.hours if report.hours else 0.0
    if isinstance(follow_up.settings, Curation) and "escalate" in report.bands and share > 0.5:
        option = escalate_less(report, follow_up)
        options = " or ".join(["a better small model", *([option.words] if option else [])])
        sentence = f"{share:.0%} of the audio was escalated: {options} would make the cascade faster."
        command = follow_up.run_again(option.settings, "faster") if option else follow_up.list_models()
        yield advise(report, "too_much_escalated", sentence, ["escalated_hours", "hours"], command)


def hopeless_escalations(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    escalate = report.bands.get("escalate")
    if not isinstance(follow_up.settings, Curation) or not escalate or escalate.utterances < 20:
        return
    if escalate.kept / escalate.utterances < 0.05 and (option := escalate_fewer_bad(report, follow_up)):
        sentence = (
            f"Only {escalate.kept:,} of {escalate.utterances:,} escalated utterances were kept: {option.words} would "
            "save time and lose little."
        )
        figures = ["bands.escalate.kept", "bands.escalate.utterances"]
        command = follow_up.run_again(option.settings, "stricter")
        yield advise(report, "hopeless_escalations", sentence, figures, command)


def useless_ensemble(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    settings, ensemble = follow_up.settings, report.wer["all"].mean
    models = {role: report.wer[role].mean for role in report.speed if role in report.wer}
    rates = {role: mean for role, mean in models.items() if mean is not None}
    if not isinstance(settings, Ensemble) or ensemble is None or min(rates.values(), default=ensemble) >= ensemble:
        return
    best, worst = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    names = settings.models_by_role
    if len(settings.models) > 2:
        options = ["leave out the weakest of the others"]
        fewer = [name for role, name in names.items() if role != worst]
        command = follow_up.run_again(follow_up.accepted({"models": fewer}), "fewer-models")
    else:
        options = [f"use {best} alone"]
        command = follow_up.run_again(as_curation(settings, str(names[best])), best)
    if settings.method == "rover" and follow_up.with_option("rover", "alpha", settings.rover.alpha / 2):
        options.append("give confidence more weight (a lower `rover.alpha`)")
    better = f"{best} alone (mean WER {rates[best]:.1%}) is better than the ensemble ({ensemble:.1%})"
    sentence = f"{better}: {', or '.join(options)}."
    yield advise(report, "useless_ensemble", sentence, [f"wer.{best}.mean", "wer.all.mean"], command)


def many_quarantined(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    most_frequent = next((reason for reason in report.reasons if reason in QUARANTINE_REASONS), "")
    if report.utterances and report.quarantined / report.utterances > 0.05 and most_frequent not in RETRIABLE:
        remedy = remedy_for(most_frequent, follow_up.settings.referenced)
        sentence = (
            f"{report.quarantined / report.utterances:.0%} of the utterances were quarantined, most often for "
            f"`{most_frequent}`: repair the manifest, and use a new output folder."
            + (f" Or, also in a new folder: {remedy}." if remedy else "")
        )
        figures = ["quarantined", "lines", "blank", f"reasons.{most_frequent}.utterances"]
        command = follow_up.run_again(follow_up.accepted({}), "repaired")
        yield advise(report, "many_quarantined", sentence, figures, command)


def repairable_audio(report: Report, follow_up: FollowUp) -> Iterator[Recommendation]:
    """Name the command that tries utterances again; a derived run has to be made again after that."""
    counts = {name: count.utterances for name, count in report.reasons.items() if name in RETRIABLE}
    if not counts:
        return
    listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    derived = follow_up.derived
    again = f" That is the run which this one was made from; after that, `{derived.flow}` it again." if derived else ""
    sentence = (
        f"Some audio could not be used ({listed}): once it is there or repaired, `winnow resume` tries only these "
        f"utterances again.{again}"
    )
    figures = [f"reasons.{name}.utterances" for name in counts]
    yield advise(report, "repairable_audio", sentence, figures, follow_up.retry(list(counts)))


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
    repairable_audio,
)
