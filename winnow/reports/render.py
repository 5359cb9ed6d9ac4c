"""The report as text: markdown for Prefect's UI, and the same as a page of its own."""

import re
import string
from html import escape
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from markdown_it import MarkdownIt

from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.gate import Bands
from winnow.reports.agreement import Agreement
from winnow.reports.charts import agreement_curve, outcome_bar, wer_histogram
from winnow.reports.recommendations import recommend
from winnow.reports.summary import LEVELS, Reason, Report
from winnow.schema import QUARANTINE_REASONS

EXAMPLES_PER_REASON = 3  # rows shown for each reason
MAX_CHARACTERS = 200  # characters of a text
ESCAPED = {c: f"\\{c}" for c in string.punctuation if c not in ".,'"} | {c: f"&#{ord(c)};" for c in "|\\"}
"""Punctuation as text. A | ends a table's cell whatever stands before it; Prefect's first UI shows entities as such."""

LINKS = re.compile(r"[a-z]:(?=//)|www(?=\.)|@", re.IGNORECASE)  # what viewers turn into links by themselves


def render_markdown(report: Report, rows: pa.Table, settings: Settings) -> str:
    """The report in GitHub's markdown; whatever comes from the manifest or a model is shown as inert text."""
    parts = [
        f"# Quality report: {escape_markdown(settings.manifest.name)}",
        headline(report),
        f"![What became of the audio]({outcome_bar(report)})",
        totals(report),
        *([f"## Word error rate\n\n{word_error_rates(report, rows, settings)}"] if report.compared else []),
        *([f"## Agreement\n\n{agreement(report.agreement, rows)}"] if report.agreement else []),
        *([f"## Cascade\n\n{cascade(report)}"] if report.bands else []),
        *([f"## Reasons\n\n{reasons(report)}"] if report.reasons else []),
        "## Speed",
        speeds(report),
        "## Recommendations",
        "\n".join(f"- {advice}" for advice in recommend(report)),
        *([f"## Examples\n\n{examples(rows)}"] if report.dropped else []),
    ]
    return "\n\n".join(parts) + "\n"


def headline(report: Report) -> str:
    kept = f"{report.kept:,} of {report.utterances:,} utterances kept"
    hours = f"{report.kept_hours:.2f} of {report.hours:.2f} h"
    return f"**{kept}** ({hours}), {report.dropped:,} dropped, {report.quarantined:,} quarantined."


def totals(report: Report) -> str:
    """How many utterances there were, and what became of them; nobody measured what was quarantined."""
    rows = [
        ("In", report.utterances, report.hours),
        ("Kept", report.kept, report.kept_hours),
        ("Dropped", report.dropped, report.dropped_hours),
        ("Quarantined", report.quarantined, None),
    ]
    shown = [[name, f"{n:,}", format_percent(n, report.utterances), format_number(hours, 3)] for name, n, hours in rows]
    return f"{markdown_table(['', 'Utterances', 'Share', 'Hours'], shown)}\n\n{report.balance}"


def word_error_rates(report: Report, rows: pa.Table, settings: Settings) -> str:
    """Utterances by their WER, as a picture and in levels."""
    if isinstance(settings, Ensemble):
        picture = wer_histogram(rows, {role: f"{role}_wer" for role in report.speed}, Bands(None, None))
    else:
        bands = report.gates.wer if report.gates else Bands(None, None)
        picture = wer_histogram(rows, {"small model": "small_wer"}, bands)
    compared = {name: found for name, found in report.wer.items() if found.utterances}
    rates = [
        [name.capitalize(), f"{found.utterances:,}", "" if found.corpus is None else f"{found.corpus:.1%}"]
        + [f"{rate:.1%}" for rate in (found.mean, found.capped, found.median, found.std)]
        for name, found in compared.items()
    ]
    limits = {name: f"≤ {limit:.0%}" for name, limit in LEVELS.items()} | {"poor": f"> {LEVELS['fair']:.0%}"}
    levels = [
        [name.capitalize(), *(f"{n:,} ({format_percent(n, found.utterances)})" for n in found.levels.values())]
        for name, found in compared.items()
    ]
    return "\n\n".join(
        [
            f"![Word error rate by utterance]({picture})",
            markdown_table(["", "Utterances", "Corpus", "Mean", "Capped", "Median", "Std"], rates),
            "Corpus: all errors over all words. Mean: of utterances, each counted once; capped: with none above 100%. "
            "Median and standard deviation are of utterances as well.",
            markdown_table(["", *(f"{name.capitalize()} {limits[name]}" for name in LEVELS)], levels),
        ]
    )


def agreement(found: Agreement, rows: pa.Table) -> str:
    """What an agreement of at least so much would keep, as a picture and in levels."""
    shown = [
        [f"≥ {level.at_least:.0%}", f"{level.utterances:,}", f"{level.hours:.3f}"]
        + ["" if level.wer is None else f"{level.wer:.1%}"]
        for level in found.levels
    ]
    header = ["Agreement", "Utterances", "Hours", "Mean WER where there is a reference"]
    words = f"On average {found.mean or 0:.1%} of the models have what the reading that counts has.\n\n"
    mean = words if found.mean is not None else ""
    return f"{mean}![Hours by agreement]({agreement_curve(rows)})\n\n{markdown_table(header, shown)}"


def cascade(report: Report) -> str:
    names = {
        "accept": "Accept: the small model is believed",
        "escalate": "Escalate: the large model reads it",
        "reject": "Reject: given up",
    }
    rows = [
        [names[name], f"{band.utterances:,}", f"{band.hours:.3f}", f"{band.kept:,}", f"{band.kept_hours:.3f}"]
        + [f"{band.rescued.utterances:,}", f"{band.lost.utterances:,}"]
        + [format_number(band.spent_seconds, 1), format_number(band.saved_seconds, 1)]
        for name, band in report.bands.items()
    ]
    head = ["Band", "Utterances", "Hours", "Kept", "Kept hours", "Rescued", "Lost", "Seconds spent", "Seconds saved"]
    sums = [
        f"The large model was asked for {format_percent(report.escalated_hours, report.hours)} of the audio.",
        f"That rescued {report.rescued.utterances:,} utterances ({format_number(report.rescued.hours, 3)} h).",
    ]
    if report.lost.utterances:
        sums.append(f"It lost {report.lost.utterances:,} which the small model alone would have kept.")
    if report.saved_seconds is not None:
        sums.append(f"The rest would have taken it {report.saved_seconds:,.1f} s more.")
    parts = [
        gate_limits(report),
        markdown_table(head, rows),
        *later_gates(report),
        " ".join(sums),
        *audit_sentences(report),
    ]
    return "\n\n".join(filter(None, parts))


def gate_limits(report: Report) -> str:
    """What the gate behind the small model compared, and where its bands lie."""
    gates = report.gates
    if gates is None:
        return ""
    said = {} if gates.by == "confidence" or not report.compared else {"WER": gates.wer}
    if gates.by == "confidence" or report.compared < report.kept + report.dropped:
        said["1 - confidence"] = gates.doubt
    return "\n".join(f"- {name}: {describe_bands(bands)}" for name, bands in said.items())


def describe_bands(bands: Bands) -> str:
    accept, reject = bands
    believed = "nothing is believed" if accept is None else f"up to {accept:.3g} the small model is believed"
    return believed + (", nothing given up" if reject is None else f", above {reject:.3g} given up")


def later_gates(report: Report) -> list[str]:
    """What became of utterances behind each larger model."""
    return [
        f"Behind the {role} model: "
        + ", ".join(f"{band.utterances:,} {name} ({band.kept:,} kept)" for name, band in bands.items())
        for role, bands in report.further.items()
    ]


def audit_sentences(report: Report) -> list[str]:
    """What the gate loses, as the large model says of some of what it was not asked for."""
    otherwise = {"accept": ("accepted", "dropped"), "reject": ("rejected", "kept")}
    return [
        f"Audit: of {found.utterances:,} {otherwise[name][0]} utterances the large model would have "
        f"{otherwise[name][1]} {found.wrong:,}: with 95% confidence {found.low:.1%} to {found.high:.1%} of this band, "
        f"{found.hours[0]:.3f} to {found.hours[1]:.3f} h."
        if found.utterances
        else f"Audit: none of the {otherwise[name][0]} utterances was drawn; gate.audit says how many are."
        for name, band in report.bands.items()
        if (found := band.audit)
    ]


def reasons(report: Report) -> str:
    """Each row is counted by its first reason; a rule's own cost is what no other rule would have dropped."""
    shown = [
        [
            decision_of(name),
            f"`{name}`",
            f"{n.utterances:,}",
            format_number(n.hours, 3),
            format_number(n.violations, 0),
            format_number(n.only_this_rule, 0),
        ]
        + [escape_markdown(describe_reason(name, n))]
        for name, n in report.reasons.items()
    ]
    head = ["Decision", "Reason", "Utterances", "Hours", "All that break it", "Only this", "In words"]
    return markdown_table(head, shown)


def decision_of(reason: str) -> str:
    return "quarantine" if reason in QUARANTINE_REASONS else "drop"


def describe_reason(name: str, found: Reason) -> str:
    """Why, in words: what a reason for quarantine means, or the rule that does not hold."""
    if name == "REJECTED_BY_GATE":
        return "what a model read lies beyond the gate's reject"
    return QUARANTINE_REASONS.get(name) or f"not so: {found.rule}"


def speeds(report: Report) -> str:
    models = [(role, one) for role, speed in report.speed.items() for one in speed.models or [speed]]
    rows = [
        [
            role.capitalize(),
            escape_markdown(Path(s.checkpoint).name),
            f"{s.utterances:,}",
            f"{s.hours:.3f}",
            f"{s.seconds:,.1f}",
        ]
        + [format_number(s.rtfx, 1), format_number(s.utterances_per_second, 1)]
        + ["" if s.padding is None else f"{s.padding:.1%}", ", ".join(filter(None, [s.device, s.precision]))]
        + ["" if s.peak_device_bytes is None else f"{s.peak_device_bytes / 2**30:.1f} GiB"]
        for role, s in models
    ]
    head = ["Pass", "Checkpoint", "Utterances", "Hours", "Seconds", "RTFx", "Utterances a second", "Padding"]
    shown = markdown_table([*head, "Device", "Memory"], rows)
    trusted = [f"`{escape_markdown(s.checkpoint)}`" for _, s in models if not s.pinned]
    return f"{shown}\n\nTaken unpinned, as trust_unpinned allows: {', '.join(trusted)}." if trusted else shown


def examples(rows: pa.Table) -> str:
    """For each reason for a drop, the rows that are furthest from their references."""
    dropped = rows.filter(pc.equal(rows["decision"], "drop")).sort_by([("wer", "descending"), ("id", "ascending")])
    shown = []
    for reason in sorted(set(dropped["reason"].to_pylist())):
        for row in dropped.filter(pc.equal(dropped["reason"], reason)).slice(0, EXAMPLES_PER_REASON).to_pylist():
            texts = [escape_markdown(row["text"] or ""), escape_markdown(row["pred_text"] or "")]
            rate = "" if row["wer"] is None else f"{row['wer']:.0%}"
            shown.append([str(row["id"]), f"`{reason}`", rate, *texts])
    return markdown_table(["Line", "Reason", "WER", "Reference", "Heard"], shown)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape_markdown(text: str) -> str:
    """The beginning of a text, which shows as itself in markdown and HTML: nothing in it is markup, link or image."""
    words = " ".join(text.split())
    words = words if len(words) <= MAX_CHARACTERS else f"{words[:MAX_CHARACTERS]} \u2026"
    words = LINKS.sub("\\g<0>\u2060", words)  # a word joiner, which is not seen
    return "".join(ESCAPED.get(c, c) for c in words)


def format_number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def format_percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1e293b; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ border-bottom: 1px solid #e2e8f0; padding: .3rem .7rem; text-align: left; vertical-align: top }}
th {{ white-space: nowrap }}
img {{ max-width: 100% }} code {{ font-size: 13px }}
</style></head><body>
{body}
</body></html>
"""


def render_page(text: str, title: str) -> str:
    """The markdown as a page that needs nothing else and fetches nothing."""
    return PAGE.format(title=escape(title), body=MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
