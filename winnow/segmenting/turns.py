"""Who speaks when in a recording, as a diariser or subtitles say."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

NEAR_MS = 500  # speech in nobody's turn that is no longer, and beside one, belongs to it: turns are given roughly


class Turn(NamedTuple):
    """A time in which somebody speaks, in milliseconds."""

    start: int
    end: int
    speaker: str


def turns_within(turns: Sequence[Turn], start: int, end: int) -> list[tuple[int, int, tuple[str, ...]]]:
    """Divide a time where the people change who speak; return each part with the names of all who do."""
    turns = [turn for turn in turns if turn.start < end and turn.end > start]
    edges = sorted({start, end, *(edge for turn in turns for edge in turn[:2] if start < edge < end)})
    parts: list[tuple[int, int, tuple[str, ...]]] = []
    for first, last in pairwise(edges):
        speakers = tuple(sorted({turn.speaker for turn in turns if turn.start < last and turn.end > first}))
        if parts and parts[-1][2] == speakers:
            parts[-1] = (parts[-1][0], last, speakers)
        else:
            parts.append((first, last, speakers))
    return list(without_short_gaps(parts))


def without_short_gaps(
    parts: list[tuple[int, int, tuple[str, ...]]],
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the parts with what is short and in nobody's turn as a part of the turn before, or else after it."""
    held: tuple[int, int, tuple[str, ...]] | None = None
    for start, end, speakers in parts:
        if held is None:
            held = (start, end, speakers)
        elif held[2] == speakers or (not speakers and held[2] and end - start <= NEAR_MS):
            held = (held[0], end, held[2])
        elif not held[2] and held[1] - held[0] <= NEAR_MS:
            held = (held[0], end, speakers)
        else:
            yield held
            held = (start, end, speakers)
    if held is not None:
        yield held
