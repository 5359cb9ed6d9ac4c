"""Examples of rows: what the reference says, what was read instead, and what was probably said."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.evidence.proposals import preferred_reading
from winnow.reports.formatting import MAX_CHARACTERS, escape_markdown
from winnow.roles import Role
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules
from winnow.text.comparison import Comparison
from winnow.text.normalize import Normalizer
from winnow.text.spelled_like import Part, differences, join_parts, needs_space

EXAMPLES_PER_REASON = 3
MOST_EXAMPLES = 5
LONGEST = 2_000  # characters of a text of an example
MISSING = "**\\^**"
"""Shown where words are missing."""

Span = tuple[int, int]
"""Start and end of a stretch of a text, in characters; equal where words are missing."""


class Mark(BaseModel, frozen=True):
    """A stretch of a reference, and what was read there: None if it is the same, empty if nothing was."""

    reference: str
    read: str | None


class Example(BaseModel, frozen=True):
    """A row as an example. `doubtful` are the stretches of the reference that differ from what was read.

    `preferred` is the hypothesis that all models that read the row prefer to the reference, `proposal` what it makes of
    the reference; `margin` are the nats by which every model prefers it. They are None if there is no such text.
    `marks` align the reference with what was read. Texts end after 2,000 characters.
    """

    id: int
    reason: str | None
    wer: float | None
    doubt: float | None = None
    reference: str
    doubtful: list[Span]
    hypothesis: str
    preferred: str | None = None
    margin: float | None = None
    proposal: str | None = None
    marks: list[Mark] = []


class BestRows:
    """The rows of a run that a function chooses, from what it chose of each shard: it must choose the same again."""

    def __init__(self, choose: Callable[[pa.Table], pa.Table]) -> None:
        self._choose = choose
        self.rows: pa.Table | None = None

    def add(self, rows: pa.Table) -> None:
        """Take the rows of another shard."""
        chosen = self._choose(rows)
        if self.rows is not None:
            names = [name for name in self.rows.schema.names if name in chosen.schema.names]
            chosen = self._choose(pa.concat_tables([self.rows.select(names), chosen.select(names)]))
        self.rows = chosen.combine_chunks()

    def examples(self, comparison: Comparison | Normalizer) -> list[Example]:
        """Describe the rows, in the order in which they were chosen."""
        return [] if self.rows is None else describe_rows(self.rows, comparison)


def worst_dropped(rows: pa.Table) -> pa.Table:
    """Return, for each reason for a drop, the rows with the highest WER."""
    dropped = rows.filter(pc.equal(rows["decision"], "drop")).sort_by([("wer", "descending"), ("id", "ascending")])
    chosen = [
        dropped.filter(pc.equal(dropped["reason"], reason)).slice(0, EXAMPLES_PER_REASON)
        for reason in sorted(set(dropped["reason"].to_pylist()))
    ]
    return pa.concat_tables(chosen) if chosen else dropped


def most_doubtful(rows: pa.Table) -> pa.Table:
    """Return the kept rows with the highest doubt."""
    kept = pc.indices_nonzero(pc.and_(pc.equal(rows["decision"], "keep"), pc.is_valid(rows["doubt"])))
    doubts = rows.select(["doubt", "id"]).take(kept)
    highest = pc.select_k_unstable(doubts, MOST_EXAMPLES, [("doubt", "descending"), ("id", "ascending")])
    return rows.take(kept.take(highest))


def first_rows(rows: pa.Table) -> pa.Table:
    return rows.slice(0, MOST_EXAMPLES)


def describe_rows(chosen: pa.Table, comparison: Comparison | Normalizer) -> list[Example]:
    """Return rows as examples."""
    read = Operands(chosen, Rules(rules=())).read
    return [
        example_of(row, [role for role in read if read[role][i]], comparison)
        for i, row in enumerate(chosen.to_pylist())
    ]


def example_of(row: dict[str, Any], roles: list[Role], comparison: Comparison | Normalizer) -> Example:
    """Describe a row that the models of these roles read."""
    language = row["language"]
    reading = preferred_reading(row, roles, comparison, language)
    hypothesis = row["pred_text"] or ""
    parts = beginning_of(differences(row["text"] or "", reading.text if reading else hypothesis, comparison, language))
    return Example(
        id=row["id"],
        reason=row["reason"],
        wer=row["wer"],
        doubt=row["doubt"],
        reference=join_parts(parts, [part.reading for part in parts]),
        doubtful=doubtful_spans(parts),
        hypothesis=hypothesis[:LONGEST],
        preferred=reading and reading.text[:LONGEST],
        margin=reading and reading.margin,
        proposal=row["proposal"] and row["proposal"][:LONGEST],
        marks=[Mark(reference=part.reading, read=part.text) for part in parts],
    )


def beginning_of(parts: list[Part]) -> list[Part]:
    """Return the parts that begin within the first LONGEST characters, the last of them cut off there."""
    shown: list[Part] = []
    left = LONGEST
    for part in parts:
        if left <= 0:
            break
        shown.append(replace(part, reading=part.reading[:left], text=part.text and part.text[:left]))
        left -= max(len(part.reading), len(part.text or "")) + 1
    return shown


def doubtful_spans(parts: list[Part]) -> list[Span]:
    """Return where the parts of a reference lie in it that have other words than what was read."""
    spans: list[Span] = []
    for number, part in enumerate(parts, 1):
        if part.text is not None:
            end = len(join_parts(parts[:number], [part.reading for part in parts[:number]]))
            spans.append((end - len(part.reading), end))
    return spans


def mark_doubtful(text: str, spans: list[Span]) -> str:
    """Return the beginning of a text as markdown: doubtful stretches in bold, a sign where words are missing."""
    shown, at = "", 0
    for start, end in [span for span in spans if span[0] <= MAX_CHARACTERS]:
        shown += escape_part(text[at:start])
        shown += f"**{escape_part(text[start:end])}**" if end > start else missing_at(text, start)
        at = end
    rest = text[at : max(at, MAX_CHARACTERS)]
    cut = " …" if at + len(rest) < len(text) else ""
    return f"{shown}{escape_part(rest)}".rstrip() + cut


def missing_at(text: str, at: int) -> str:
    """Return the sign for missing words at this place in a text, with spaces around it where words have them."""
    before = " " if text[:at] and needs_space(text[:at], "a") and not text[at - 1].isspace() else ""
    after = " " if text[at:] and needs_space("a", text[at:]) and not text[at].isspace() else ""
    return f"{before}{MISSING}{after}"


def escape_part(text: str) -> str:
    """Escape a stretch of a text, and keep the space at either end."""
    before, after = (" " if edge.isspace() else "" for edge in (text[:1], text[-1:]))
    return f"{before}{escape_markdown(text)}{after}" if text.strip() else before
