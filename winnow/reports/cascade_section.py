"""The section on the cascade: the gate's limits, its bands and what the audit estimates."""

from winnow.gates.criteria import CRITERIA, GateLimits, criteria_for
from winnow.reports.bands import FINAL
from winnow.reports.formatting import escape_markdown, format_number, format_percent, format_share, markdown_table
from winnow.reports.summary import Report, ReportContext

BAND_NAMES = {
    "accept": "Accept (the small model's result is used)",
    "escalate": "Escalate (the large model's result is used)",
    "reject": "Reject (dropped)",
    FINAL: "Final (no larger model for the language; the small model's result is used)",
}
LEGEND = (
    "Rescued: kept, although the small model's WER is above the filter's limit. Lost: dropped, although the small "
    "model's WER is within it. Seconds spent: device time of larger models. Seconds saved: device time that the large "
    "model would have taken for the utterances that it did not transcribe."
)
RELABELLED = "Relabelled: kept without a reference, with a larger model's text that differs from an earlier model's."


def cascade_section(context: ReportContext) -> str:
    """Describe the gates, what each band contains, and what larger models changed."""
    report = context.report
    parts = [
        gate_limits(report),
        accepted_above_filter(report, context.settings.filter.max_kept_wer),
        bands_table(report),
        larger_gates(report),
        effect(report),
        *audit_sentences(report),
    ]
    return "\n\n".join(filter(None, parts))


def gate_limits(report: Report) -> str:
    """List what the gate after the small model compared, and its limits."""
    if report.gates is None:
        return ""
    names = criteria_for(report.gates.by, "small")
    known = {True: report.compared > 0, False: report.compared < report.kept + report.dropped}
    compared = [name for name in names if len(names) == 1 or known[CRITERIA[name].needs_reference]]
    limits = [(name, *own) for name in compared for own in report.gates.limits_of(name).items()]
    return "\n".join(f"- {describe_limits(*own)}" for own in limits)


def describe_limits(name: str, language: str | None, limits: GateLimits) -> str:
    """Describe the limits of a criterion, in a language that has limits of its own."""
    described = CRITERIA[name].describe(limits)
    return f"In {escape_markdown(language)}, {described}" if language else described


def accepted_above_filter(report: Report, limit: float | None) -> str:
    """Say what becomes of accepted utterances that the filter drops; only a budget chooses such a limit."""
    accept = report.gates.limits["wer"].accept if report.gates else None
    if limit is None or accept is None or accept <= limit:
        return ""
    return (
        f"Utterances with a WER above {limit:g}, the filter's limit, are dropped although this gate accepts them: the "
        "sample showed that the budget rescues more elsewhere."
    )


def bands_table(report: Report) -> str:
    """Tabulate the bands of the gate after the small model; relabelled utterances only if there are any."""
    relabelled = any(band.relabelled.utterances for band in report.bands.values())
    header = ["Band", "Utterances", "Hours", "Kept", "Kept hours", "Rescued", "Lost"]
    header += [*(["Relabelled"] if relabelled else []), "Seconds spent", "Seconds saved"]
    cells = [
        [BAND_NAMES[name], f"{band.utterances:,}", f"{band.hours:.3f}", f"{band.kept:,}", f"{band.kept_hours:.3f}"]
        + [f"{band.rescued.utterances:,}", f"{band.lost.utterances:,}"]
        + ([f"{band.relabelled.utterances:,}"] if relabelled else [])
        + [format_number(band.spent_seconds, 1), format_number(band.saved_seconds, 1)]
        for name, band in report.bands.items()
    ]
    sums = [report.kept + report.dropped, report.hours, report.kept, report.kept_hours]
    total = ["Total", f"{sums[0]:,}", f"{sums[1]:.3f}", f"{sums[2]:,}", f"{sums[3]:.3f}"]
    total += [f"{report.rescued.utterances:,}", f"{report.lost.utterances:,}"]
    cells.append([*total, *[""] * (len(header) - len(total))])
    return f"{markdown_table(header, cells)}\n\n{LEGEND}" + (f" {RELABELLED}" if relabelled else "")


def larger_gates(report: Report) -> str:
    """Describe what became of utterances at the gate after each larger model."""
    words = {"accept": "accepted", "escalate": "escalated", "reject": "rejected", FINAL: "final in their language"}
    return "\n\n".join(
        f"Gate after the {role} model: "
        + ", ".join(f"{band.utterances:,} {words[name]} ({band.kept:,} kept)" for name, band in bands.items())
        + "."
        for role, bands in report.further.items()
    )


def effect(report: Report) -> str:
    """Summarize how much larger models transcribed, and what that changed."""
    escalated, rescued, lost = format_share(report.escalated_hours, report.hours), report.rescued, report.lost
    sentences = [
        f"{escalated or 'None'} of the audio was escalated.",
        f"This rescued {rescued.utterances:,} utterances ({format_number(rescued.hours, 3)} h)"
        + (f" and lost {lost.utterances:,} ({format_number(lost.hours, 3)} h)." if lost.utterances else "."),
    ]
    if report.saved_seconds is not None:
        sentences.append(f"Transcribing the rest with the large model would have taken {report.saved_seconds:,.1f} s.")
    return " ".join(sentences)


def audit_sentences(report: Report) -> list[str]:
    """Say what the gate loses, as the large model decides on audited utterances."""
    words = {"accept": ("accepted", "dropped"), "reject": ("rejected", "kept")}
    sentences = []
    if report.gates and report.gates.audit:
        share = format_percent(report.gates.audit)
        sentences.append(
            f"To audit the gate, the large model also transcribes a random {share} of what is accepted or rejected."
        )
    for name, band in report.bands.items():
        if not (audit := band.audit):
            continue
        decided, instead = words[name]
        if audit.utterances:
            sentences.append(
                f"Audit: the large model would have {instead} {audit.wrong:,} of {audit.utterances:,} {decided} "
                f"utterances. With 95% confidence, that is {format_percent(audit.low)} to {format_percent(audit.high)} "
                f"of this band ({audit.hours[0]:.3f} to {audit.hours[1]:.3f} h)."
            )
        else:
            sentences.append(
                f"Audit: no {decided} utterance was drawn, so there is no estimate; a higher `gate.audit` draws more."
            )
    return sentences
