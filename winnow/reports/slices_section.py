"""The section on slices: parts of the run that are kept more or less often than the rest."""

from winnow.reports.formatting import escape_markdown, format_number, format_percent, markdown_table
from winnow.reports.slices import Slice
from winnow.reports.summary import ReportContext

MOST_SLICES = 20
LEGEND = (
    "A slice has all transcribed utterances with the same value of a field of the manifest, such as a speaker. Kept: "
    "the share of its utterances that is kept, with its 95% interval. Bold: the share that is kept of all other "
    "utterances lies outside of this interval, but the field need not be the cause. WER is the mean, doubt the median."
)


def slices_section(context: ReportContext) -> str:
    """Tabulate the slices, those that stand out first."""
    slices = context.report.slices
    header = ["Slice", "Utterances", "Hours", "Kept", "95% interval", "WER", "Doubt"]
    table = markdown_table(header, [cells_of(part) for part in slices[:MOST_SLICES]])
    more = len(slices) - MOST_SLICES
    further = [f"{more:,} further slices are in `report.json`."] if more > 0 else []
    return "\n\n".join([table, *further, LEGEND])


def cells_of(part: Slice) -> list[str]:
    name = f"{escape_markdown(part.field)}: {escape_markdown(part.value)}"
    share = format_percent(part.kept_share)
    return [
        f"**{name}**" if part.stands_out else name,
        f"{part.utterances:,}",
        f"{part.hours:.3f}",
        f"**{share}**" if part.stands_out else share,
        f"{format_percent(part.low)} to {format_percent(part.high)}",
        format_percent(part.wer),
        format_number(part.doubt, 2),
    ]
