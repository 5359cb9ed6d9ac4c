"""The warning of a run that keeps nothing, or hardly anything, with the likeliest cause."""

from collections.abc import Iterator

from winnow.reports.counts import ReasonCount
from winnow.reports.summary import Report
from winnow.rules.columns import compares_texts
from winnow.rules.rule import Rule, parse, terms
from winnow.schema import AUDIO_STATS, QUARANTINE_REASONS

FEW = 0.05  # of the utterances
UNRELATED_WER = 0.7  # above it, hypotheses and references have hardly anything to do with each other


def little_kept(report: Report) -> Iterator[str]:
    """Yield a sentence if less than 5 % of the utterances were kept: how many, and why most of the others were not."""
    if not report.utterances:
        yield "Nothing was kept, because the input has no utterances."
    elif report.kept < FEW * report.utterances or not report.kept:
        kept = f"only {report.kept:,} of {report.utterances:,} utterances were" if report.kept else "nothing was"
        reason, count = max(report.reasons.items(), key=lambda item: concerned(item[1]))
        verb = "quarantined" if reason in QUARANTINE_REASONS else "dropped"
        share = f"{reason} {verb} {concerned(count) / report.utterances:.0%}"
        yield f"{kept[0].upper()}{kept[1:]} kept. {share}: {likely_cause(reason, count, report)}"


def concerned(count: ReasonCount) -> int:
    """Return how many utterances have a reason, whether it is their first one or not."""
    return max(count.utterances, count.violations or 0)


def likely_cause(reason: str, count: ReasonCount, report: Report) -> str:
    """Say what most probably is behind the most frequent reason."""
    if reason in QUARANTINE_REASONS:
        return f"{QUARANTINE_REASONS[reason]}; see the column detail in rejects/."
    rules = parse(f"{reason}: {count.rule}") if count.rule else []
    if report.compared and (reason == "REJECTED_BY_GATE" or any(map(compares_texts, rules))):
        return cause_of_errors(report.wer["all"].median)
    if reason == "NOTHING_HEARD" or compares(rules, set(AUDIO_STATS.names)):
        return "is there speech in the audio, in the channel that was transcribed?"
    if compares(rules, {"agreement", "lowest_agreement"}):
        median = report.agreement.median if report.agreement else None
        known = "" if median is None else f"median agreement {median:.2f}: "
        return f"{known}do all of the models know this language and kind of speech?"
    if compares(rules, {"confidence"}):
        return "is the limit right for this model? Typical confidences differ from model to model."
    return "do the utterances have such values? An unknown value violates a rule, too."


def cause_of_errors(median: float | None) -> str:
    """Say what a high or a moderate WER suggests."""
    known = "" if median is None else f"median WER {median:.2f}: "
    if median is None or median >= UNRELATED_WER:
        return f"{known}are the references in another language, or those of other audio, or does the model not fit?"
    return f"{known}is the limit too strict, or does the model not fit this speech?"


def compares(rules: list[Rule], columns: set[str]) -> bool:
    """Return whether one of these columns is compared by the rules."""
    return any(term.column in columns and term.stat is None for term in terms(rules))
