"""The report as markdown for Prefect's UI, and as an HTML page."""

from functools import cache
from itertools import count
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markdown_it import MarkdownIt
from markupsafe import Markup

from winnow.parameters.ensemble import Settings
from winnow.printable import one_line
from winnow.reports.formatting import code_span, escape_markdown
from winnow.reports.headline import cards, headline
from winnow.reports.provenance import provenance
from winnow.reports.sections import SECTIONS
from winnow.reports.summary import Report, ReportContext
from winnow.reports.svg import inline_svg
from winnow.runs.run_record import RunRecord


def render_markdown(report: Report, settings: Settings, record: RunRecord | None = None) -> str:
    """Render the report in GitHub's markdown; texts from the manifest and the models are shown literally."""
    context = ReportContext(report, settings, record)
    title = f"# Quality report: {escape_markdown(Path(settings.manifest).name)}"
    warnings = [f"**Warning:** {warning}" for warning in report.warnings]
    page = [f"The page is {code_span(str(record.parameters['output']) + '/report.html')}."] if record else []
    parts = [
        title,
        headline(report),
        *warnings,
        *page,
        *(section.render(context) for section in SECTIONS if section.applies(report)),
    ]
    return "\n\n".join(parts) + "\n"


def render_report(context: ReportContext) -> str:
    """Render the report as a page that fetches nothing and runs no scripts."""
    numbers = count()
    sections = [
        {
            "name": section.heading.lower().replace(" ", "-"),
            "heading": section.heading,
            "charts": [
                (chart.caption, inline_svg(chart.draw(context), chart.caption, next(numbers)))
                for chart in section.charts_of(context.report)
            ],
            "body": section.page(context) if section.page else as_html(section.text(context)),
        }
        for section in SECTIONS
        if section.applies(context.report)
    ]
    if context.record:
        sections.append(
            {"name": "provenance", "heading": "Provenance", "charts": [], "body": as_html(provenance(context.record))}
        )
    return template("report.html").render(
        title=one_line(f"Quality report: {Path(context.settings.manifest).name}"),
        report=context.report,
        cards=cards(context.report),
        sections=sections,
    )


def render_page(text: str, title: str) -> str:
    """Render markdown as a page of the same style."""
    return template("page.html").render(title=one_line(title), body=as_html(text))


def as_html(text: str) -> Markup:
    """Render markdown; its tables can be scrolled where the page is narrower than they are."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    html = html.replace("<table>", '<div class="scrolled" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Markup(html)


@cache
def template(name: str) -> Template:
    """Return a template of the package, which escapes every text that is no markup."""
    loader = PackageLoader("winnow.reports", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
