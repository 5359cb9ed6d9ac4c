"""The sections of the report, in order: to add one, write its function and add an entry to `SECTIONS`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from winnow.reports.cascade_section import cascade_section
from winnow.reports.charts import (
    Chart,
    agreement_curve,
    data_uri,
    doubt_histogram,
    found_curves,
    has_curves,
    wer_histogram,
)
from winnow.reports.cost import Cost
from winnow.reports.counts import ReasonCount
from winnow.reports.evidence_section import evidence_section
from winnow.reports.example_marks import examples_as_html
from winnow.reports.examples import MISSING, mark_doubtful
from winnow.reports.flow import flow_chart, flow_links
from winnow.reports.formatting import (
    code_span,
    escape_markdown,
    format_amount,
    format_gibibytes,
    format_hours,
    format_number,
    format_percent,
    format_share,
    markdown_table,
)
from winnow.reports.languages import MULTIPLE, UNDETERMINED
from winnow.reports.listening_section import listening_section
from winnow.reports.recommendation import Recommendation
from winnow.reports.slices_section import slices_section
from winnow.reports.summary import RelabelledCount, Report, ReportContext, ReviewedCount
from winnow.reports.wer_distribution import WER_LEVELS
from winnow.schema import INPUT_TEXT, MENDINGS, QUARANTINE_REASONS, REVIEWED


class Section(NamedTuple):
    """A section of the report: its heading, its text, when it applies, and the charts above its text."""

    heading: str
    text: Callable[[ReportContext], str]
    applies: Callable[[Report], object] = lambda report: True
    charts: tuple[Chart, ...] = ()
    page: Callable[[ReportContext], Markup] | None = None
    """What the page shows instead of the text."""

    def render(self, context: ReportContext) -> str:
        """Return the section as markdown."""
        charts = [
            f"![{chart.caption}]({data_uri(chart.draw(context))})"
            for chart in self.charts_of(context.report)
            if not chart.page_only
        ]
        return "\n\n".join([f"## {self.heading}", *charts, self.text(context)])

    def charts_of(self, report: Report) -> list[Chart]:
        """Return the charts that the report has figures for."""
        return [chart for chart in self.charts if chart.applies(report)]


def decisions(context: ReportContext) -> str:
    """Tabulate how many utterances were kept, dropped and quarantined; quarantined audio has no measured hours."""
    report = context.report
    counts = [
        ("Total", report.utterances, report.hours),
        ("Kept", report.kept, report.kept_hours),
        ("Dropped", report.dropped, report.dropped_hours),
        ("Quarantined", report.quarantined, None),
    ]
    cells = [
        [name, f"{count:,}", format_share(count, report.utterances), format_number(hours, 3)]
        for name, count, hours in counts
    ]
    relabelled = [relabelled_sentence(report.relabelled)] if report.relabelled else []
    reviewed = [reviewed_sentence(report.reviewed)] if report.reviewed else []
    table = markdown_table(["", "Utterances", "Share", "Hours"], cells)
    return "\n\n".join([table, report.balance, *relabelled, *reviewed])


def reviewed_sentence(reviewed: ReviewedCount) -> str:
    people = ", ".join(f"{escape_markdown(name)} ({count:,})" for name, count in reviewed.reviewers.items())
    return (
        f"People decided about {reviewed.utterances:,} utterances ({reviewed.hours:.3f} h): {reviewed.kept:,} kept, "
        f"{reviewed.edited:,} kept with another text, {reviewed.dropped:,} dropped"
        f"{f'; by {people}' if people else ''}."
    )


def relabelled_sentence(relabelled: RelabelledCount) -> str:
    return (
        f"{relabelled.utterances:,} utterances ({relabelled.hours:.3f} h) have a proposal in the place of their "
        f"reference, which is in `{INPUT_TEXT}`; {relabelled.kept:,} of them are kept."
    )


def word_error_rates(context: ReportContext) -> str:
    """Tabulate the distribution of the WER, and how many utterances are in each level."""
    report = context.report
    compared = {name: wer for name, wer in report.wer.items() if wer.utterances}
    others = report.kept + report.dropped - report.compared
    sentence = f"The other {others:,} transcribed utterances have no reference, and so no WER."
    rates = [
        [name.capitalize(), f"{wer.utterances:,}"]
        + [format_percent(rate) for rate in (wer.corpus, wer.mean, wer.capped, wer.median, wer.std)]
        for name, wer in compared.items()
    ]
    limits = {name: f"≤ {limit:.0%}" for name, limit in WER_LEVELS.items()} | {"poor": f"> {WER_LEVELS['fair']:.0%}"}
    levels = [
        [name.capitalize(), *(f"{count:,} ({format_share(count, wer.utterances)})" for count in wer.levels.values())]
        for name, wer in compared.items()
    ]
    return "\n\n".join(
        [
            markdown_table(["", "Utterances", "Corpus", "Mean", "Capped", "Median", "Std. dev."], rates),
            "Corpus: all errors divided by all reference words. Mean, median and standard deviation: over utterances. "
            "Capped: the mean with each utterance's WER limited to 100%.",
            *([sentence] if others else []),
            markdown_table(["", *(f"{name.capitalize()} {limits[name]}" for name in WER_LEVELS)], levels),
        ]
    )


def agreement_levels(context: ReportContext) -> str:
    """Tabulate how much would be kept at each minimum agreement."""
    report = context.report
    assert report.agreement
    mean = report.agreement.mean
    cells = [
        [f"≥ {level.at_least:.0%}", f"{level.utterances:,}", f"{level.hours:.3f}", format_percent(level.wer)]
        for level in report.agreement.levels
    ]
    sentence = [] if mean is None else [f"Mean agreement with the selected hypothesis: {format_percent(mean)}."]
    if alone := report.agreement.alone:
        sentence.append(f"{alone:,} utterances were transcribed by one model only, so their agreement is unknown.")
    header = ["Agreement", "Utterances", "Hours", "Mean WER (utterances with a reference)"]
    return "\n\n".join([*sentence, markdown_table(header, cells)])


def languages(context: ReportContext) -> str:
    """Tabulate the rows of each language, and the WER of each model there."""
    report = context.report
    passes = [name for name in next(iter(report.languages.values())).wer if name not in ("all", "kept")]
    cells = [
        [language_name(name), f"{row.utterances:,}", f"{row.hours:.3f}", f"{row.kept:,}", f"{row.kept_hours:.3f}"]
        + [f"{row.dropped:,}", f"{row.quarantined:,}", format_percent(row.wer["all"].corpus)]
        + [format_percent(row.wer[role].corpus) for role in passes]
        for name, row in report.languages.items()
    ]
    header = ["Language", "Utterances", "Hours", "Kept", "Kept hours", "Dropped", "Quarantined", "WER"]
    legend = (
        "WER: all errors divided by all reference words, of the selected hypotheses and of each model over what it "
        "transcribed."
    )
    return f"{markdown_table([*header, *(f'WER, {role} model' for role in passes)], cells)}\n\n{legend}"


def language_name(name: str) -> str:
    """Return a language's tag as it is shown."""
    unknown = {UNDETERMINED: "und (not stated)", MULTIPLE: "mul (all others)"}
    return unknown.get(name) or escape_markdown(name)


def reasons(context: ReportContext) -> str:
    """Tabulate why utterances were dropped or quarantined, and what each rule costs."""
    report = context.report
    cells = [
        [decision_of(name), f"`{name}`", f"{count.utterances:,}", format_number(count.hours, 3)]
        + [format_number(count.violations, 0), format_number(count.only_this_rule, 0)]
        + [escape_markdown(describe_reason(name, count))]
        for name, count in report.reasons.items()
    ]
    header = ["Decision", "Reason", "Utterances", "Hours", "Violations", "Only this rule", "Meaning"]
    legend = (
        "An utterance is counted under its first reason. Violations: all utterances that violate the rule, whatever "
        "their first reason. Only this rule: those that violate no other rule."
    )
    return f"{markdown_table(header, cells)}\n\n{legend}"


def mended_rows(context: ReportContext) -> str:
    """Tabulate how many rows were read in which way although they are badly written."""
    cells = [
        [f"`{name}`", f"{count.utterances:,}", str(count.first_line), escape_markdown(MENDINGS.get(name, ""))]
        for name, count in context.report.mended.items()
    ]
    return markdown_table(["Mending", "Rows", "First line", "Meaning"], cells)


def decision_of(reason: str) -> str:
    """Return the decision that a reason leads to: drop or quarantine."""
    return "quarantine" if reason in QUARANTINE_REASONS else "drop"


def describe_reason(name: str, count: ReasonCount) -> str:
    """Explain a reason: why an utterance is quarantined, or which rule it violates."""
    if name == "REJECTED_BY_GATE":
        return "the gate rejected the utterance"
    if name == REVIEWED:
        return "a reviewer dropped the utterance"
    if name == "DOUBTFUL":
        return "the model that decides doubts the reference more than its limit allows"
    return QUARANTINE_REASONS.get(name) or f"violates {count.rule}"


def speed(context: ReportContext) -> str:
    """Tabulate the throughput of each pass and model, and name the models that are not pinned."""
    report = context.report
    models = [(role, model) for role, speed in report.speed.items() for model in speed.models or [speed]]
    cells = [
        [role.capitalize(), code_span(Path(model.checkpoint).name), f"{model.utterances:,}"]
        + [f"{model.hours:.3f}", f"{model.seconds:,.1f}", format_number(model.rtfx, 1)]
        + [format_number(model.utterances_per_second, 1), format_percent(model.padding)]
        + [", ".join(filter(None, [model.device, model.precision])), format_gibibytes(model.peak_device_bytes)]
        for role, model in models
    ]
    header = ["Pass", "Checkpoint", "Utterances", "Hours", "Seconds", "RTFx", "Utterances per second", "Padding"]
    table = markdown_table([*header, "Device", "Memory"], cells)
    parts = [table, *([cost_sentence(report.cost)] if report.cost else [])]
    if unpinned := [code_span(model.checkpoint) for _, model in models if not model.pinned]:
        parts.append(f"Not pinned: {', '.join(unpinned)}. `run.json` has the sha256 of the files that were used.")
    return "\n\n".join(parts)


def cost_sentence(cost: Cost) -> str:
    """Say what the passes cost, and how that is computed."""
    sentence = f"Cost: **{format_amount(cost.amount)}** for {format_hours(cost.device_hours)} device hours"
    if cost.per_1000_hours is not None:
        sentence += f", {format_amount(cost.per_1000_hours)} for 1,000 hours of audio"
    return (
        f"{sentence}, at {cost.price:,.2f} a device hour. Device hours: the seconds above, times the share of a device "
        "that a shard takes; not the time in which models were loaded or a device had nothing to do."
    )


def recommendations(context: ReportContext) -> str:
    """List what to do, each with the command that does it."""
    items = [list_item(advice) for advice in context.report.recommendations]
    return "\n".join(items) or ("Nothing stands out." if context.report.kept else "See the warning above.")


def list_item(advice: Recommendation) -> str:
    """Return a recommendation as an item of a list, its command as a block of code."""
    if advice.command is None:
        return f"- {advice.sentence}"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", advice.command)), default=0))
    return f"- {advice.sentence}\n\n  {fence}\n  {advice.command}\n  {fence}"


def examples(context: ReportContext) -> str:
    """Tabulate dropped rows with their reference, what was read, and what was probably said."""
    cells = [
        [str(row.id), f"`{row.reason}`", format_percent(row.wer, 0), mark_doubtful(row.reference, row.doubtful)]
        + [escape_markdown(text or "") for text in (row.hypothesis, row.preferred, row.proposal)]
        for row in context.report.examples
    ]
    if not cells:
        return "Nothing was dropped; `report.html` has examples of what was kept."
    header = ["Line", "Reason", "WER", "Reference", "Hypothesis", "All models prefer", "Proposal"]
    legend = (
        f"Bold: what the reference has in place of what was read; {MISSING} where it lacks words. All models prefer: "
        "the hypothesis that every model that read the row finds more likely than the reference. Proposal: what "
        "`winnow relabel` puts in the place of the reference, where no model is in doubt. Rows that only one model "
        "read, such as those that the gate rejects, have neither."
    )
    return f"{markdown_table(header, cells)}\n\n{legend}"


SECTIONS = (
    Section("Decisions", decisions, charts=(Chart("What became of the audio", flow_chart, flow_links),)),
    Section("Recommendations", recommendations),
    Section(
        "Word error rate",
        word_error_rates,
        applies=lambda report: report.compared,
        charts=(Chart("Utterances by word error rate", wer_histogram),),
    ),
    Section(
        "Agreement",
        agreement_levels,
        applies=lambda report: report.agreement,
        charts=(Chart("Hours by minimum agreement", agreement_curve),),
    ),
    Section("Slices", slices_section, applies=lambda report: report.slices),
    Section("Languages", languages, applies=lambda report: report.languages),
    Section(
        "Evidence",
        evidence_section,
        applies=lambda report: report.calibration,
        charts=(
            Chart("Utterances by doubt", doubt_histogram, lambda report: "doubt" in report.distributions, True),
            Chart("Replaced words that the small model finds, by what is lost", found_curves, has_curves, True),
        ),
    ),
    Section("Listening", listening_section, applies=lambda report: report.heard),
    Section("Cascade", cascade_section, applies=lambda report: report.bands),
    Section("Reasons", reasons, applies=lambda report: report.reasons),
    Section("Mended rows", mended_rows, applies=lambda report: report.mended),
    Section("Speed", speed),
    Section(
        "Examples",
        examples,
        applies=lambda report: report.dropped or report.doubtful or report.rescued_examples,
        page=examples_as_html,
    ),
)
