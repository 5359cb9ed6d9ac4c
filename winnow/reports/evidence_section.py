"""The section on evidence: which share of errors the run finds, and what that costs."""

from winnow.evidence.calibration import Calibration, CurvePoint
from winnow.evidence.languages import OTHERS
from winnow.evidence.planting import ENOUGH, LABELS
from winnow.reports.formatting import escape_markdown, format_percent, markdown_table
from winnow.reports.summary import ReportContext

COMPARED_AT = (0.005, 0.01, 0.02, 0.05)
"""Shares of right references that limits lose in the comparison of doubt with WER."""

SHOWN = ("substitution", "deletion", "insertion", "other")
"""The kinds of errors whose curves are shown."""


def evidence_section(context: ReportContext) -> str:
    """Say which share of planted errors is found, what the limits are, and what WER would find at the same loss."""
    calibration = context.report.calibration
    assert calibration
    models = [
        [role.capitalize(), f"{model.references:,}", format_percent(model.right), f"{model.limit:.3g}"]
        for role, model in calibration.models.items()
    ]
    parts = []
    if calibration.found:
        rates = [
            [LABELS[kind], f"{rate.planted:,}", format_percent(rate.found)]
            + [f"{format_percent(rate.low)} to {format_percent(rate.high)}"]
            for kind, rate in calibration.found.items()
        ]
        parts += [
            "Errors of known kinds were planted into a sample of the references, which no output has. Of errors like "
            f"these, this run finds the share below; about {format_percent(calibration.lost)} of the right references "
            f"are dropped for their doubt (`filter.lose`: {format_percent(calibration.lose)}).",
            markdown_table(["Planted error", "Planted", "Found", "95% interval"], rates),
        ]
    parts += [
        markdown_table(
            ["Model", "References with evidence", "Of them right (estimated)", "Highest doubt kept"], models
        ),
        by_language(calibration),
        comparison(calibration.models["small"].doubt, calibration.models["small"].wer),
        "The larger model's references are those that it transcribed, of which more are wrong than of all."
        if len(models) > 1
        else "",
    ]
    return "\n\n".join(filter(None, parts))


def by_language(calibration: Calibration) -> str:
    """Tabulate the limits of languages that are judged apart, and what is found in each; empty if none is."""
    if not calibration.languages:
        return ""
    rows = []
    for name, part in calibration.languages.items():
        small, *_ = part.models.values()
        limits = " / ".join(f"{model.limit:.3g}" for model in part.models.values())
        found = [format_percent(part.found[kind].found) if kind in part.found else "" for kind in SHOWN]
        language = "all others" if name == OTHERS else escape_markdown(name)
        rows.append([language, f"{small.references:,}", format_percent(small.right), limits, *found])
    head = (
        f"Languages with at least {ENOUGH} references and planted errors have limits of their own, and those with "
        "models of their own are judged apart. The tables above have the limits that all other languages share, and "
        "what is found in the whole run."
    )
    columns = ["Language", "References", "Of them right", "Highest doubt kept", *(LABELS[kind] for kind in SHOWN)]
    return f"{head}\n\n{markdown_table(columns, rows)}"


def comparison(doubt: list[CurvePoint], wer: list[CurvePoint]) -> str:
    """Tabulate what the small model alone would find by doubt and by WER, where each loses the same share."""
    rows = []
    for lose in COMPARED_AT:
        for measure, curve in (("doubt", doubt), ("WER", wer)):
            if point := found_at(curve, lose):
                found = [format_percent(point.found.get(kind)) for kind in SHOWN]
                rows.append([format_percent(lose), measure, *found])
    if not rows:
        return ""
    head = "What the small model alone would find, by limits that lose a share of the right references:"
    return f"{head}\n\n{markdown_table(['Lost', 'By', *(LABELS[kind] for kind in SHOWN)], rows)}"


def found_at(curve: list[CurvePoint], lose: float) -> CurvePoint | None:
    """Return the point of a curve with the lowest limit that loses at most this share."""
    return next((point for point in curve if point.lost <= lose), None)
