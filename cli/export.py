"""Export in a terminal: what was written, part by part, and what was left out."""

from rich.table import Table

from cli.console import console, errors
from cli.run import call, start
from winnow.export.before_start import check_export
from winnow.export.record import ExportReport
from winnow.imports import without_gc
from winnow.parameters.export import Export
from winnow.runs.storage import location


def export(settings: Export) -> None:
    """Run the flow `export` and print what it wrote."""
    check_export(settings)
    with without_gc():
        start(hint=lambda: "the same command continues")
        from flows.export import export

    report = call(export, settings)
    console.print(parts_table(report))
    for sentence in remarks(report):
        errors.print(f"winnow: {sentence}", markup=False, soft_wrap=True)
    console.print(f"\nexport: {location(settings.output)}", markup=False, soft_wrap=True)


def parts_table(report: ExportReport) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "utterances", "hours", "share of hours"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, part in report.parts.items():
        table.add_row(name, f"{part.utterances:,}", f"{part.hours:.3f}", f"{part.share:.2%}")
    for reason, count in report.left_out.items():
        table.add_row(f"left out: {reason}", f"{count:,}", "", "")
    return table


def remarks(report: ExportReport) -> list[str]:
    """Say what keeping parts apart cost, and what was not compared."""
    sentences = []
    if report.components is not None and report.largest_share is not None:
        sentences.append(
            f"{report.components:,} groups of utterances had to stay together; the largest has "
            f"{report.largest_share:.1%} of the hours"
        )
    if report.not_compared:
        sentences.append(
            f"warning: the audio of {report.not_compared:,} utterances of evaluation sets cannot be read and was not "
            "compared"
        )
    return sentences
