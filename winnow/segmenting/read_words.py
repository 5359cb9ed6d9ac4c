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
    for word in timed:
        start, end = (min(part["start_ms"] + round(1000 * word[name]), part["end_ms"]) for name in ("start", "end"))
        units = split_words(normalize(word["word"], normalizer, language))
        shown = units if has_spaceless(word["word"]) else [word["word"], ""]
        for place, unit in enumerate(units):
            first, last = (start + (end - start) * edge // len(units) for edge in (place, place + 1))
            yield ReadWord(shown[min(place, len(shown) - 1)], unit, number, first, last)


def evenly(words: list[str], seconds: float) -> list[dict[str, Any]]:
    step = seconds / len(words) if words else 0.0
    return [{"word": word, "start": n * step, "end": (n + 1) * step} for n, word in enumerate(words)]


def as_read(read: list[ReadWord]) -> str:
    return join_spaceless(" ".join(word.text for word in read if word.text))
