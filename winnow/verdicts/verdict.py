"""A verdict: what a person decided about one row, and what all verdicts together say of each row."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator

from winnow.text.normalize import MAX_TEXT

Kind = Literal["keep", "drop", "edit", "flag", "unflag", "undo"]

DECIDING = ("keep", "drop", "edit")
"""Kinds that decide about a row; the others mark it, or take a verdict back."""


def join_lines(text: str) -> str:
    """Return a text in one line, as a reference is."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


class Verdict(BaseModel, frozen=True, extra="forbid"):
    """A line of a file of verdicts.

    `row` is a key of `winnow.verdicts.keys`, `line` the row's line in the manifest. `text` is the reference that an
    edit puts in the place of the row's own. `undoes` is the `id` of the verdict that is taken back. `at` is in UTC.
    """

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    row: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    line: Annotated[int, Field(ge=1)]
    kind: Kind
    text: Annotated[str, AfterValidator(join_lines), Field(min_length=1, max_length=MAX_TEXT)] | None = None
    undoes: str | None = None
    reviewer: Annotated[str, Field(min_length=1, max_length=100)]
    at: AwareDatetime

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind == "edit") != (self.text is not None):
            raise ValueError("an edit has a text, and nothing else has one")
        if (self.kind == "undo") != (self.undoes is not None):
            raise ValueError("an undo names what it undoes, and nothing else does")
        return self


@dataclass(frozen=True)
class Standing:
    """What stands of the verdicts on a row: the last one that decides, if any, and whether the row is flagged.

    `last` is the last verdict of any kind, which the next undo takes back.
    """

    decided: Verdict | None
    flagged: bool
    last: Verdict


def standing(verdicts: Iterable[Verdict]) -> dict[str, Standing]:
    """Return what stands of each row, by its key."""
    by_row: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_row.setdefault(verdict.row, []).append(verdict)
    stands = {row: stand(own) for row, own in by_row.items()}
    return {row: one for row, one in stands.items() if one}


def stand(verdicts: Iterable[Verdict]) -> Standing | None:
    """Return what stands of one row's verdicts: the last by time of those that were not undone; None if all were."""
    ordered = in_order(verdicts)
    undone = {verdict.undoes for verdict in ordered}
    valid = [verdict for verdict in ordered if verdict.kind != "undo" and verdict.id not in undone]
    if not valid:
        return None
    decided = [verdict for verdict in valid if verdict.kind in DECIDING]
    flags = [verdict.kind for verdict in valid if verdict.kind in ("flag", "unflag")]
    return Standing(decided[-1] if decided else None, flags[-1:] == ["flag"], valid[-1])


def in_order(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return verdicts by time, each once; of several at one time, by their ids."""
    return sorted({verdict.id: verdict for verdict in verdicts}.values(), key=lambda verdict: (verdict.at, verdict.id))
