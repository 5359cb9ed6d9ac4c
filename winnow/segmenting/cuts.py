"""Where a recording is cut: at its pauses, and within speech only where there is none in reach."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

import numpy as np
from pydantic import BaseModel

from winnow.audio.measurements import Samples
from winnow.audio.voice_activity import RATE, WINDOW, SpanOptions, speech_spans
from winnow.parameters.segment import Segment
from winnow.segmenting.turns import Turn, turns_within

WINDOW_MS = 1000 * WINDOW // RATE
PAUSES = SpanOptions(margin=0.0)  # the shortest pause is longer than the closure of any consonant: no cut is in a word
NEAR_MS = 2_000  # speech that is too short joins a neighbour that is no farther away


class CutOptions(BaseModel, frozen=True):
    """Lengths in milliseconds: of a segment at least and at most, of a pause that ends one, of what it has of pauses.

    The longest is at least three times the shortest, and two margins more.
    """

    shortest: int
    longest: int
    pause: int
    margin: int
    by_speaker: bool = False


@dataclass(frozen=True)
class Piece:
    """A part of a recording, in milliseconds: speech, or `silent`.

    `in_speech` tells that it ends where nothing pauses; `speakers` are all who speak, if recordings are cut by speaker.
    """

    start: int
    end: int
    silent: bool = False
    in_speech: bool = False
    speakers: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        return self.end - self.start


def cut(
    probabilities: Samples, milliseconds: int, options: CutOptions, turns: Sequence[Turn] | None = None
) -> list[Piece]:
    """Cut a recording into pieces that follow on each other, given how likely each of its windows is speech.

    With turns, no piece has speech of two.
    """
    found = speech_spans(probabilities, len(probabilities) * WINDOW, PAUSES)
    spans = [Piece(1000 * span.start // RATE, min(milliseconds, 1000 * span.end // RATE)) for span in found]
    spans = [span for span in spans if span.length > 0]
    stretches = joined(spans if turns is None else by_turns(spans, turns), options)
    parts = [part for stretch in stretches for part in split(stretch, probabilities, options)]
    return with_silence(with_margins(join_short(parts, options), milliseconds, options), milliseconds)


def pauses_in(probabilities: Samples, pieces: list[Piece]) -> Iterator[list[int]]:
    """Yield the start and the end of each pause within a piece, in milliseconds, one after the other."""
    found = speech_spans(probabilities, len(probabilities) * WINDOW, PAUSES)
    gaps = [(1000 * span.end // RATE, 1000 * after.start // RATE) for span, after in pairwise(found)]
    for piece in pieces:
        first = bisect_left(gaps, (piece.start, piece.start))
        last = bisect_left(gaps, (piece.end, piece.end))
        yield [time for gap in gaps[first:last] if gap[1] < piece.end for time in gap]


def by_turns(spans: list[Piece], turns: Sequence[Turn]) -> list[Piece]:
    """Divide speech where the people change who speak."""
    pieces: list[Piece] = []
    for span in spans:
        for start, end, speakers in turns_within(turns, span.start, span.end):
            if pieces and pieces[-1].end == start:
                pieces[-1] = replace(pieces[-1], in_speech=True)
            pieces.append(Piece(start, end, speakers=speakers))
    return pieces


def joined(spans: list[Piece], options: CutOptions) -> list[list[Piece]]:
    """Group spans of speech between which there is no pause that ends a segment."""
    groups: list[list[Piece]] = []
    for span in spans:
        before = groups[-1][-1] if groups else None
        if before and before.speakers == span.speakers and span.start - before.end < options.pause:
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def split(spans: list[Piece], probabilities: Samples, options: CutOptions) -> list[Piece]:
    """Split a stretch of speech into parts that are not too long, each at the longest pause that its length allows."""
    most = options.longest - 2 * options.margin
    parts = []
    speakers = spans[0].speakers
    while spans[-1].end - spans[0].start > most:
        start, latest = spans[0].start, spans[-1].end - options.shortest
        gaps = [
            (after.start - before.end, number)
            for number, (before, after) in enumerate(pairwise(spans), 1)
            if options.shortest <= before.end - start <= most and after.start <= latest
        ]
        if gaps:
            _, number = max(gaps)
            parts.append(Piece(start, spans[number - 1].end, speakers=speakers))
            spans = spans[number:]
        else:
            place = quietest(probabilities, start + most // 2, min(start + most, latest))
            parts.append(Piece(start, place, in_speech=True, speakers=speakers))
            spans = [replace(span, start=max(span.start, place)) for span in spans if span.end > place]
    return [*parts, Piece(spans[0].start, spans[-1].end, in_speech=spans[-1].in_speech, speakers=speakers)]


def quietest(probabilities: Samples, start: int, end: int) -> int:
    """Return the middle of the window between two times that is the least likely speech, the last of several."""
    first, last = start // WINDOW_MS + 1, end // WINDOW_MS
    backwards = probabilities[first:last][::-1]
    return (last - 1 - int(np.argmin(backwards))) * WINDOW_MS + WINDOW_MS // 2


def join_short(parts: list[Piece], options: CutOptions) -> list[Piece]:
    """Join speech that is too short for a segment to the nearer neighbour, if one is near and does not get too long."""
    most = options.longest - 2 * options.margin
    result: list[Piece] = []
    for part, after in zip_longest(parts, parts[1:]):
        before = result[-1] if result and result[-1].speakers == part.speakers else None
        if before and part.start - before.end <= NEAR_MS and part.end - before.start <= most:
            nearer = (
                after is None or after.speakers != part.speakers or after.start - part.end >= part.start - before.end
            )
            if before.length < options.shortest or (part.length < options.shortest and nearer):
                result.pop()
                part = replace(part, start=before.start)
        result.append(part)
    return result


def with_margins(parts: list[Piece], milliseconds: int, options: CutOptions) -> list[Piece]:
    """Extend parts into the pauses around them, each at most to the middle."""
    result = []
    for number, part in enumerate(parts):
        before = 2 * part.start if number == 0 else part.start - parts[number - 1].end
        after = 2 * (milliseconds - part.end) if number + 1 == len(parts) else parts[number + 1].start - part.end
        result.append(
            replace(
                part,
                start=part.start - min(options.margin, before // 2),
                end=part.end + min(options.margin, after // 2),
            )
        )
    return result


def with_silence(parts: list[Piece], milliseconds: int) -> list[Piece]:
    """Return the parts with the silence between them, from the beginning of the recording to its end."""
    result, place = [], 0
    for part in parts:
        if part.start > place:
            result.append(Piece(place, part.start, silent=True))
        result.append(part)
        place = part.end
    if place < milliseconds:
        result.append(Piece(place, milliseconds, silent=True))
    return result


def cut_options(settings: Segment) -> CutOptions:
    """Return the options that parameters ask for."""
    shortest, longest, pause, margin = (
        round(1000 * seconds) for seconds in (settings.shortest, settings.longest, settings.pause, settings.margin)
    )
    by_speaker = settings.by == "speaker"
    return CutOptions(shortest=shortest, longest=longest, pause=pause, margin=margin, by_speaker=by_speaker)
