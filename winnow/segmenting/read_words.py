"""What a model read in the segments of a recording, word by word."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from winnow.segmenting.parts import SEGMENT, Part
from winnow.text.normalize import Normalizer, normalize
from winnow.text.words import has_spaceless, join_spaceless, split_words


@dataclass
class ReadWord:
    """A word that was read in the segment `part`; its times are milliseconds from the beginning of the recording."""

    text: str
    unit: str
    part: int
    start: int
    end: int
    words: list[int] = field(default_factory=list)
    """The words of the text that were read here."""
    placed: bool = False
    """Whether it is in the text: as a word, or as a part of the word that was read before it."""
    equal: bool = False
    """Whether it was read as it is written."""
    apart: bool = False
    """Whether it is among words that are not in the text."""
    confirmed: bool = False
    """Whether its words are hardly less likely here than it is, though they are not alike."""


def words_read(part: Part, number: int, normalizer: Normalizer, language: str | None) -> Iterator[ReadWord]:
    """Yield the words that were read in a part; a model without times has them at equal distances."""
    if part["part"] != SEGMENT or not part["pred_text"]:
        return
    timed = part["words"] or evenly(split_words(part["pred_text"]), part["duration"])
    times = [(time_in(part, word["start"]), time_in(part, word["end"])) for word in timed]
    pauses = part["pauses"] or [] if part["words"] else []
    for word, (start, end) in zip(timed, beside_pauses(times, pauses), strict=True):
        units = split_words(normalize(word["word"], normalizer, language))
        shown = units if has_spaceless(word["word"]) else [word["word"], ""]
        for place, unit in enumerate(units):
            first, last = (start + (end - start) * edge // len(units) for edge in (place, place + 1))
            yield ReadWord(shown[min(place, len(shown) - 1)], unit, number, first, last)


def time_in(part: Part, seconds: float) -> int:
    """Return a time of a part in milliseconds from the beginning of the recording, no later than the part ends."""
    return int(min(part["start_ms"] + round(1000 * seconds), part["end_ms"]))


def beside_pauses(times: list[tuple[int, int]], pauses: list[int]) -> list[tuple[int, int]]:
    """Return the times of words without pauses, which are given as start, end, start, end and so on.

    Models that find times by attention, such as Whisper, have a word end where the next one begins. No word has a pause
    within it: one whose time does is on that side of it which has more of its time, and the other side is its
    neighbour's, if their times meet.
    """
    words = [list(time) for time in times]
    for number in range(len(words)):
        for pause, speech in zip(pauses[::2], pauses[1::2], strict=True):
            start, end = words[number]
            if speech <= start or pause >= end:
                continue
            if pause - start >= end - speech:
                words[number][1] = max(start, pause)
                if number + 1 < len(words) and words[number + 1][0] == end:
                    words[number + 1][0] = min(end, speech)
            else:
                words[number][0] = min(end, speech)
                if number and words[number - 1][1] == start:
                    words[number - 1][1] = max(start, pause)
    return [(start, max(start, end)) for start, end in words]


def evenly(words: list[str], seconds: float) -> list[dict[str, Any]]:
    step = seconds / len(words) if words else 0.0
    return [{"word": word, "start": n * step, "end": (n + 1) * step} for n, word in enumerate(words)]


def as_read(read: list[ReadWord]) -> str:
    return join_spaceless(" ".join(word.text for word in read if word.text))
