"""Examples on the page: the reference with its differences from what was read marked word by word."""

from collections.abc import Iterator

from markupsafe import Markup

from winnow.printable import one_line
from winnow.reports.examples import Example, Mark
from winnow.reports.formatting import MAX_CHARACTERS, format_number, format_percent
from winnow.reports.summary import ReportContext
from winnow.text.spelled_like import needs_space

LEGEND = Markup(
    "<p><del>Struck out</del>: only the reference has these words. <ins>Underlined</ins>: only what was read has them. "
    "Proposal: what <code>winnow relabel</code> puts in the place of the reference.</p>"
)
EXAMPLE = Markup('<li><p class="words">{words}</p><p class="about">line {line}{reason}{wer}{doubt}</p>{proposal}</li>')
SAME, ONLY_IN_REFERENCE, ONLY_READ = Markup("{}"), Markup("<del>{}</del>"), Markup("<ins>{}</ins>")


def examples_as_html(context: ReportContext) -> Markup:
    """List dropped, doubtful and rescued utterances."""
    report = context.report
    lists = {
        "Dropped: the highest WER of each reason": report.examples,
        "Kept, with the highest doubt": report.doubtful,
        "Rescued by a larger model": report.rescued_examples,
    }
    shown = [list_of(heading, examples) for heading, examples in lists.items() if examples]
    return Markup("").join([LEGEND, *shown])


def list_of(heading: str, examples: list[Example]) -> Markup:
    return Markup('<h3>{}</h3><ol class="examples">{}</ol>').format(
        heading, Markup("").join(map(show_example, examples))
    )


def show_example(example: Example) -> Markup:
    """Show an example; every text is escaped."""
    return EXAMPLE.format(
        words=mark_words(example.marks),
        line=example.id,
        reason=f" · {example.reason}" if example.reason else "",
        wer="" if example.wer is None else f" · WER {format_percent(example.wer, 0)}",
        doubt="" if example.doubt is None else f" · doubt {format_number(example.doubt, 1)}",
        proposal=Markup("<p>Proposal: {}</p>").format(cut(example.proposal)) if example.proposal else "",
    )


def mark_words(marks: list[Mark]) -> Markup:
    """Return a reference as far as it is shown, with what was read in the place of its doubtful stretches.

    Spaces are between stretches where their scripts have them.
    """
    shown, before = Markup(), ""
    for element, text in stretches(marks):
        line = cut(text)
        space = " " if before and needs_space(before, line) else ""
        shown += space + element.format(line)
        before = line
    return shown


def stretches(marks: list[Mark]) -> Iterator[tuple[Markup, str]]:
    """Yield the texts that are shown, each with the element that it goes into."""
    left = 2 * MAX_CHARACTERS
    for mark in marks:
        if left <= 0:
            yield SAME, "…"
            return
        left -= len(mark.reference) + len(mark.read or "")
        if mark.reference:
            yield SAME if mark.read is None else ONLY_IN_REFERENCE, mark.reference
        if mark.read:
            yield ONLY_READ, mark.read


def cut(text: str) -> str:
    """Return the beginning of a text as one line without characters that act on a page."""
    line = one_line(text)
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]} …"
