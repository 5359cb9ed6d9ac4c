"""What the figures of a report suggest."""

from winnow.reports.summary import Distribution, Report
from winnow.schema import QUARANTINE_REASONS


def recommend(report: Report) -> list[str]:
    """What the figures suggest; the first two are those of NeMo Curator's guide to WER filtering."""
    advice = []
    every = report.wer["all"]
    if every.mean is not None and every.mean > 0.30:
        advice.append(f"The mean WER is {every.mean:.0%}: try a larger model, and listen to some of the audio.")
    if every.std is not None and every.std > 0.20:
        advice.append(
            f"The WER varies much (standard deviation {every.std:.0%}): look at the outliers below, and consider a "
            "model of the corpus' own domain."
        )
    if report.dropped and report.alike / report.dropped >= 0.10:
        advice.append(
            f"Both models read the same words in {report.alike} of {report.dropped} dropped utterances: probably their "
            "references are wrong and their audio is good. `pred_text` in `rejects/` may serve as a new reference."
        )
    if report.bands and no_better(report.wer["escalated, large model"], report.wer["escalated, small model"]):
        advice.append("The large model does no better than the small one on what it read: choose another one.")
    if "escalate" in report.bands and report.hours and report.escalated_hours / report.hours > 0.5:
        advice.append(
            f"The large model read {report.escalated_hours / report.hours:.0%} of the audio: a better small model or a "
            "higher `gate.accept` would make the cascade pay."
        )
    alone = {role: found.mean for role, found in report.wer.items() if role in report.speed and found.mean is not None}
    if alone and every.mean is not None and min(alone.values()) < every.mean:
        best = min(alone, key=alone.__getitem__)
        advice.append(
            f"{best} alone (mean WER {alone[best]:.1%}) reads better than the ensemble ({every.mean:.1%}): leave out "
            "the weakest of the others, or weigh confidence more (a lower `rover.alpha`)."
        )
    escalate = report.bands.get("escalate")
    if escalate and escalate.utterances >= 20 and escalate.kept / escalate.utterances < 0.05:
        advice.append("Hardly anything that was escalated was kept: a lower `gate.reject` would cost little.")
    if report.utterances and report.quarantined / report.utterances > 0.05:
        worst = next((reason for reason in report.reasons if reason in QUARANTINE_REASONS), "")
        advice.append(
            f"{report.quarantined / report.utterances:.0%} of the utterances could not be read at all ({worst} first): "
            "mend the manifest or the audio, and run into another output."
        )
    if report.kept and not advice:
        advice.append("Nothing stands out.")
    return advice


def no_better(one: Distribution, other: Distribution) -> bool:
    return one.mean is not None and other.mean is not None and one.mean >= other.mean
