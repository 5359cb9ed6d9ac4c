"""The section on what measures found, and on what the rules by it cost."""

from winnow.reports.formatting import escape_markdown, format_number, markdown_table
from winnow.reports.heard import QUANTILES
from winnow.reports.summary import ReportContext
from winnow.rules.rule import terms


def listening_section(context: ReportContext) -> str:
    """Tabulate the distribution of each column, and the rules that compare one of them."""
    parts = [numbers(context), texts(context), rules(context)]
    return "\n\n".join(filter(None, parts))


def numbers(context: ReportContext) -> str:
    """Tabulate quantiles of numbers, and columns without any value; empty if there are neither."""
    unknown: list[float | None] = [None] * len(QUANTILES)
    rows = [
        [f"`{name}`", f"{found.utterances:,}", f"{found.unknown:,}"]
        + [format_number(value, 2) for value in (*(found.quantiles or unknown), found.kept_median)]
        for name, found in context.report.heard.items()
        if not found.values
    ]
    header = ["Column", "Utterances", "Unknown", *(f"{share:.0%}" for share in QUANTILES), "Median of kept"]
    legend = (
        "Utterances: those with a value, of all that are not quarantined; the others are unknown. 5% of them have at "
        "most the value under 5%, and so on."
    )
    return f"{markdown_table(header, rows)}\n\n{legend}" if rows else ""


def texts(context: ReportContext) -> str:
    """Tabulate the most frequent values of texts, and how many utterances have others; empty if there are none."""
    rows: list[list[str]] = []
    for name, found in context.report.heard.items():
        others = found.utterances - sum(found.values.values()) if found.values else 0
        counts = [(escape_markdown(value), count) for value, count in found.values.items()]
        counts += [("(all others)", others)] if others else []
        counts += [("(unknown)", found.unknown)] if found.values and found.unknown else []
        rows += [[f"`{name}`", value, f"{count:,}"] for value, count in counts]
    return markdown_table(["Column", "Value", "Utterances"], rows) if rows else ""


def rules(context: ReportContext) -> str:
    """Tabulate what rules that compare these columns drop; empty if there are none."""
    heard = context.report.heard
    rows = []
    for rule in context.settings.filter.active_rules:
        if any(term.column in heard for term in terms([rule])):
            count = context.report.reasons.get(rule.name)
            violations, alone = (count.violations, count.only_this_rule) if count else (0, 0)
            rows.append([f"`{rule.name}`", escape_markdown(rule.condition), *map(cell, (violations, alone))])
    return markdown_table(["Rule", "Keeps", "Violations", "Only this rule"], rows) if rows else ""


def cell(count: int | None) -> str:
    return f"{count or 0:,}"
