"""Written words that have no counterpart in what was read, and speech that has none in the text.

Models mishear and skip words, and texts have sentences that nobody says. The time tells them apart: words that were
skipped take time, in which nothing was read though somebody speaks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median

from rapidfuzz.fuzz import ratio

from winnow.segmenting.pairs import ALIKE, Word, pair_words
from winnow.segmenting.parts import SEGMENT, Part
from winnow.segmenting.read_words import ReadWord
from winnow.segmenting.texts import WrittenText

LONG = 3  # words in a row that are not said, or not written, are kept apart; fewer may be the model's errors
SHARE_OF_TIME = 0.5  # of what words would take, in which nothing was read: then they were said
LEAST_TIME = 400  # milliseconds, in which a word could be said
UNREAD = 1_200  # milliseconds of speech in which nothing was read are kept apart


def pair(read: list[ReadWord], text: WrittenText) -> set[int]:
    """Give each word that was read its word of the text; return the latter."""
    heard = [Word(word.unit, group=word.part, time=(word.start, word.end)) for word in read]
    places = pair_words(heard, [unit for unit, _ in text.units])
    placed: set[int] = set()
    for word, place in zip(read, places, strict=True):
        if place is not None:
            unit, written = text.units[place]
            word.placed, word.equal = True, unit.text == word.unit
            if written not in placed:
                word.words.append(written)
                placed.add(written)
    return placed


@dataclass(frozen=True)
class Pace:
    """How fast is spoken: milliseconds for each character, and those that usually are between the times of words."""

    parts: list[Part]
    read: list[ReadWord]
    character: float
    usual: float

    @classmethod
    def of(cls, parts: list[Part], read: list[ReadWord]) -> "Pace":
        """Measure the pace of a recording."""
        spoken: dict[int, int] = {}
        for word in read:
            spoken[word.part] = spoken.get(word.part, 0) + len(word.unit)
        paces = [
            speech_in(parts[part], parts[part]["start_ms"], parts[part]["end_ms"]) / n for part, n in spoken.items()
        ]
        gaps = [after.start - word.end for word, after in pairwise(read) if word.part == after.part]
        return cls(parts, read, median(paces) if paces else 0.0, median(gaps) if gaps else 0.0)

    def expected(self, words: list[str]) -> float:
        """Return how long it takes to say these words, in milliseconds."""
        return self.character * sum(map(len, words))

    def unread(self, before: int | None, after: int | None) -> float:
        """Return how long somebody speaks between two words that were read, in milliseconds.

        Without one of them, from the beginning of the segment of the other, or to its end.
        """
        word, following = (None if number is None else self.read[number] for number in (before, after))
        if word and following and word.part == following.part:
            return speech_in(self.parts[word.part], word.end, following.start) - self.usual
        time = 0.0
        if word:
            time += speech_in(self.parts[word.part], word.end, self.parts[word.part]["end_ms"]) - self.usual
        if following:
            part = self.parts[following.part]
            time += speech_in(part, part["start_ms"], following.start) - self.usual
        return time


def speech_in(part: Part, start: int, end: int) -> int:
    """Return how much of a time in a segment is no pause."""
    times = part["pauses"] or []
    pauses = zip(times[::2], times[1::2], strict=True)
    silent = sum(max(0, min(end, b) - max(start, a)) for a, b in pauses)
    return int(max(0, end - start) - silent)


def place_unpaired(read: list[ReadWord], text: WrittenText, placed: set[int], parts: list[Part]) -> list[ReadWord]:
    """Give written words that were misheard or skipped a place, and mark what is not written.

    Return what was read; where somebody speaks for long and nothing was read, there is an empty word more.
    """
    reader = {word: number for number, item in enumerate(read) for word in item.words}
    pace = Pace.of(parts, read)
    accounted: set[int] = set()
    filled: set[int] = set()
    for first, end in ranges([place for place in range(len(text.words)) if place not in placed]):
        before, after = reader.get(first - 1), reader.get(end)
        if before is not None and after is not None and not are_neighbors(read, before, after):
            before, after = (before, None) if not text.ends_sentence(first - 1) else (None, after)
        between = words_between(read, before, after)
        said = [number for number in between if not read[number].placed]
        alike = ratio("".join(text.words[first:end]).lower(), "".join(read[n].unit for n in said)) >= ALIKE
        count = sum(len(text.units_of(place)) > 0 for place in range(first, end))
        if said and (alike or (count < LONG and len(said) < LONG + count)):
            spread(read, said, range(first, end))
            accounted.update(said)
            continue
        needed = max(LEAST_TIME, SHARE_OF_TIME * pace.expected(text.words[first:end]))
        was_said = not said and pace.unread(before, after) >= needed
        filled.update({before} if was_said and before is not None else ())
        for start, stop in sentences(text, first, end):
            whole = (start == 0 or text.ends_sentence(start - 1)) and text.ends_sentence(stop - 1)
            few = sum(len(text.units_of(place)) > 0 for place in range(start, stop)) < LONG
            if was_said or (few and not whole):
                ends = [number for number in (before, after) if number is not None]
                begins = start == first and not (start and text.ends_sentence(start - 1))
                if was_said and pace.unread(before, None) != pace.unread(None, after):
                    begins = pace.unread(before, None) > pace.unread(None, after)
                if ends:
                    spread(read, [ends[0] if begins else ends[-1]], range(start, stop))
    mark_apart(read, accounted)
    return list(with_unread(read, pace, filled))


def are_neighbors(read: list[ReadWord], before: int, after: int) -> bool:
    """Tell whether a word was read after another one with nothing of the text between them: chapters may be swapped."""
    return before < after and not any(word.placed for word in read[before + 1 : after])


def sentences(text: WrittenText, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Divide a range of words at the ends of sentences."""
    start = first
    for place in range(first, end):
        if text.ends_sentence(place) or place == end - 1:
            yield start, place + 1
            start = place + 1


def words_between(read: list[ReadWord], before: int | None, after: int | None) -> range:
    """Return what was read between two words; without one of them, what is not in the text beside the other."""
    if before is not None and after is not None:
        return range(before + 1, after)
    if after is not None:
        start = after
        while start > 0 and not read[start - 1].placed and read[start - 1].part == read[after].part:
            start -= 1
        return range(start, after)
    if before is None:
        return range(0)
    end = before + 1
    while end < len(read) and not read[end].placed and read[end].part == read[before].part:
        end += 1
    return range(before + 1, end)


def spread(read: list[ReadWord], targets: list[int], places: range) -> None:
    """Give words of the text to words that were read, in their order."""
    for number, place in enumerate(places):
        target = read[targets[number * len(targets) // len(places)]]
        target.words = sorted([*target.words, place])


def mark_apart(read: list[ReadWord], accounted: set[int]) -> None:
    """Mark words that are not in the text where there are many of them in a row."""
    extra = [not word.placed and number not in accounted for number, word in enumerate(read)]
    for is_extra, group in groupby(range(len(read)), key=lambda number: extra[number]):
        numbers = list(group)
        if is_extra and len(numbers) >= LONG:
            for number in numbers:
                read[number].apart = True


def with_unread(read: list[ReadWord], pace: Pace, filled: set[int]) -> Iterator[ReadWord]:
    """Yield the words, and an empty one where somebody speaks for long within a segment but nothing was read."""
    for number, word in enumerate(read):
        yield word
        after = read[number + 1] if number + 1 < len(read) else None
        if after is None or after.part != word.part or number in filled:
            continue
        if pace.parts[word.part]["part"] == SEGMENT and pace.unread(number, number + 1) >= UNREAD:
            yield replace(
                word, text="", unit="", start=word.end, end=after.start, words=[], placed=False, equal=False, apart=True
            )


def ranges(places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and one past the last of places that follow on each other."""
    start = None
    for number, place in enumerate(places):
        if start is None:
            start = place
        if number + 1 == len(places) or places[number + 1] != place + 1:
            yield start, place + 1
            start = None
