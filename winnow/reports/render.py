"""The report as markdown for Prefect's UI, and as an HTML page."""

from html import escape
from pathlib import Path

import pyarrow as pa
from markdown_it import MarkdownIt

from winnow.parameters.ensemble import Settings
from winnow.printable import one_line
from winnow.reports.formatting import escape_markdown
from winnow.reports.sections import SECTIONS
from winnow.reports.summary import Report, ReportContext

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


def render_markdown(report: Report, rows: pa.Table, settings: Settings) -> str:
    """Render the report in GitHub's markdown; texts from the manifest and the models are shown literally."""
    context = ReportContext(report, rows, settings)
    title = f"# Quality report: {escape_markdown(Path(settings.manifest).name)}"
    warnings = [f"**Warning:** {warning}" for warning in report.warnings]
    parts = [
        title,
        headline(report),
        *warnings,
        *(section.render(context) for section in SECTIONS if section.applies(report)),
    ]
    return "\n\n".join(parts) + "\n"


def headline(report: Report) -> str:
    """Summarize the run's decisions in one sentence."""
    kept = f"{report.kept:,} of {report.utterances:,} utterances kept"
    hours = f"{report.kept_hours:.2f} of {report.hours:.2f} h"
    return f"**{kept}** ({hours}), {report.dropped:,} dropped, {report.quarantined:,} quarantined."


def render_page(text: str, title: str) -> str:
    """Render markdown as an HTML page that fetches nothing and runs no scripts."""
    return PAGE.format(
        title=escape(one_line(title)), body=MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    )
