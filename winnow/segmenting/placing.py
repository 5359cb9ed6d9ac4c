"""Place the text of recordings in their parts, by what a model read there.

What was read of all parts is compared with all of the text, so a text that is longer, shorter or in another order than
what is said is not smeared over its neighbours: words that have no counterpart are kept apart.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pyarrow as pa
from pydantic import BaseModel
from rapidfuzz.fuzz import ratio

from winnow.schema import select_columns
from winnow.segmenting.pairs import ALIKE, Word, pair_words
from winnow.segmenting.parts import LEFT_OUT, PLACED, SEGMENT, UNPLACED, Part, part_of
from winnow.segmenting.texts import WrittenText
from winnow.text.languages import row_language
from winnow.text.normalize import Normalizer, normalize
from winnow.text.words import has_spaceless, join_spaceless, split_words

LONG = 3  # words in a row that are not said, or not written, are kept apart; fewer may be the model's errors
LEAST_MATCH = 0.5  # of the words of a segment
NEAR_PAUSE = 300  # milliseconds between the time of a word and the pause at which a segment ends


class PlaceOptions(BaseModel, frozen=True):
    """How words are compared, and the length of the shortest segment in milliseconds."""

    normalizer: Normalizer = "basic"
    shortest: int = 1000


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


def place_texts(parts: pa.Table, recordings: pa.Table, options: PlaceOptions) -> pa.Table:
    """Return the parts (PLACED) with the text of their recordings.

    Parts have the columns of a model that read them, as the first of a run's models; without those, texts stay
    unplaced.
    """
    renamed = [name.removeprefix("small_") for name in parts.schema.names]
    was_read = "pred_text" in renamed
    rows: dict[int, list[Part]] = defaultdict(list)
    for part in select_columns(parts.rename_columns(renamed), PLACED).to_pylist():
        rows[part["id"]].append(part)
    placed = [
        part
        for row in recordings.to_pylist()
        for part in place_text(row, rows[row["id"]], options if was_read else None)
    ]
    return pa.Table.from_pylist(placed, PLACED)


def place_text(row: Part, parts: list[Part], options: PlaceOptions | None) -> list[Part]:
    """Return the parts of a recording, and what of its text has no place in them; without options, all of it."""
    parts = [part | {"part": LEFT_OUT} if part["part"] == SEGMENT and part["reason"] else part for part in parts]
    if not split_words(row["text"] or ""):
        return [part | {"words": None} for part in parts]
    unread = parts[0]["reason"] if parts and parts[0]["start_ms"] is None else None
    if unread or options is None:
        return [*parts, unplaced(row, row["text"], 0, unread or "NOT_ALIGNED")]
    language = row_language(row["fields"])
    text = WrittenText(row["text"], options.normalizer, language)
    read = [word for number, part in enumerate(parts) for word in words_read(part, number, options, language)]
    absorb(read, text, pair(read, text))
    by_part: dict[int, list[ReadWord]] = defaultdict(list)
    for word in read:
        by_part[word.part].append(word)
    placed = [
        piece
        for number, part in enumerate(parts)
        for piece in (divide(part, by_part[number], text, options) if part["part"] == SEGMENT else [part])
    ]
    has_place = {place for word in read for place in word.words}
    rest = [place for place in range(len(text.words)) if place not in has_place]
    return [*placed, *(unplaced(row, text.slice(a, b), a, "NOT_SAID") for a, b in ranges(rest))]


def unplaced(row: Part, text: str, first: int, reason: str) -> Part:
    """Return words of a text as a part that has no place in the audio."""
    place = {"offset": None, "duration": None, "start_ms": None, "end_ms": None, "first_word": first, "text": text}
    return row | place | {"part": UNPLACED, "reason": reason, "detail": None}


def words_read(part: Part, number: int, options: PlaceOptions, language: str | None) -> Iterator[ReadWord]:
    """Yield the words that were read in a part; a model without times has them at equal distances."""
    if part["part"] != SEGMENT or not part["pred_text"]:
        return
    timed = part["words"] or evenly(split_words(part["pred_text"]), part["duration"])
    for word in timed:
        start, end = (min(part["start_ms"] + round(1000 * word[name]), part["end_ms"]) for name in ("start", "end"))
        units = split_words(normalize(word["word"], options.normalizer, language))
        shown = units if has_spaceless(word["word"]) else [word["word"], ""]
        for place, unit in enumerate(units):
            first, last = (start + (end - start) * edge // len(units) for edge in (place, place + 1))
            yield ReadWord(shown[min(place, len(shown) - 1)], unit, number, first, last)


def evenly(words: list[str], seconds: float) -> list[dict[str, Any]]:
    step = seconds / len(words) if words else 0.0
    return [{"word": word, "start": n * step, "end": (n + 1) * step} for n, word in enumerate(words)]


def pair(read: list[ReadWord], text: WrittenText) -> set[int]:
    """Give each word that was read its word of the text; return the latter."""
    places = pair_words([Word(word.unit, group=word.part) for word in read], [unit for unit, _ in text.units])
    placed: set[int] = set()
    for word, place in zip(read, places, strict=True):
        if place is not None:
            unit, written = text.units[place]
            word.placed, word.equal = True, unit.text == word.unit
            if written not in placed:
                word.words.append(written)
                placed.add(written)
    return placed


def absorb(read: list[ReadWord], text: WrittenText, placed: set[int]) -> None:
    """Give words of the text that were misheard the place of what was read instead, and mark what is not written.

    Words without a counterpart that lie between two words with one belong there if they are few, or if they are alike.
    """
    reader = {word: number for number, item in enumerate(read) for word in item.words}
    bare = set(range(len(text.words))) - {word for _, word in text.units}
    accounted: set[int] = set()
    for first, end in ranges([place for place in range(len(text.words)) if place not in placed]):
        before, after = reader.get(first - 1), reader.get(end)
        between = range(before + 1, after) if before is not None and after is not None and before < after else range(0)
        if before is None and after is not None:
            between = unread_before(read, after)
        elif after is None and before is not None:
            between = unread_after(read, before)
        count = sum(place not in bare for place in range(first, end))
        said = [number for number in between if not read[number].placed]
        alike = ratio("".join(text.words[first:end]).lower(), "".join(read[n].unit for n in said)) >= ALIKE
        if count >= LONG and not (said and alike):
            continue
        target = place_of(read, text, first, end, before, after, said)
        if target is None:
            continue
        for place in range(first, end):
            # in the order of the text, spread over what was read there
            number = said[(place - first) * len(said) // (end - first)] if said else target
            read[number].words.append(place)
            read[number].words.sort()
        accounted.update(said)
    mark_apart(read, accounted)


def unread_before(read: list[ReadWord], after: int) -> range:
    start = after
    while start > 0 and not read[start - 1].placed and read[start - 1].part == read[after].part:
        start -= 1
    return range(start, after)


def unread_after(read: list[ReadWord], before: int) -> range:
    end = before + 1
    while end < len(read) and not read[end].placed and read[end].part == read[before].part:
        end += 1
    return range(before + 1, end)


def place_of(
    read: list[ReadWord],
    text: WrittenText,
    first: int,
    end: int,
    before: int | None,
    after: int | None,
    said: list[int],
) -> int | None:
    """Return which word was read nearest to a few words of the text; those of a sentence stay together."""
    if said:
        return said[0]
    if before is None or after is None:
        return before if after is None else after
    if text.ends_sentence(first - 1) and not text.ends_sentence(end - 1):
        return after
    return before


def mark_apart(read: list[ReadWord], accounted: set[int]) -> None:
    """Mark words that are not in the text where there are many of them in a row."""
    extra = [not word.placed and number not in accounted for number, word in enumerate(read)]
    for is_extra, group in groupby(range(len(read)), key=lambda number: extra[number]):
        numbers = list(group)
        if is_extra and len(numbers) >= LONG:
            for number in numbers:
                read[number].apart = True


def divide(part: Part, read: list[ReadWord], text: WrittenText, options: PlaceOptions) -> Iterator[Part]:
    """Yield the part with its text, and apart from it what is not in the text."""
    if not read:
        yield left_out(part, part["start_ms"], part["end_ms"], "NOTHING_READ")
        return
    if not any(word.words for word in read):
        yield left_out(part, part["start_ms"], part["end_ms"], "NOT_WRITTEN", read)
        return
    groups = [list(group) for _, group in groupby(read, key=lambda word: word.apart)]
    start = part["start_ms"]
    for number, group in enumerate(groups):
        last = number == len(groups) - 1
        end, in_speech = (
            (part["end_ms"], part["ends_in_speech"])
            if last
            else boundary(part, group[-1], groups[number + 1][0], start)
        )
        if end > start:
            yield from piece_of(part, start, end, in_speech, group, text, options)
        elif words := sorted(place for word in group for place in word.words):
            yield from (unplaced(part, text.slice(a, b), a, "SHORT_SPEECH") for a, b in ranges(words))
        start = max(start, end)


def boundary(part: Part, word: ReadWord, after: ReadWord, start: int) -> tuple[int, bool]:
    """Return where a part is divided between two words, and whether there is no pause."""
    times = part["pauses"] or []
    gaps = [(a, b) for a, b in zip(times[::2], times[1::2], strict=True) if a > start]
    middle = (word.end + after.start) // 2
    near = [gap for gap in gaps if gap[0] < after.start + NEAR_PAUSE and gap[1] > word.end - NEAR_PAUSE]
    if near:
        longest = max(near, key=lambda gap: (gap[1] - gap[0], -abs(sum(gap) // 2 - middle)))
        return sum(longest) // 2, False
    return min(max(middle, start), part["end_ms"]), True


def piece_of(
    part: Part, start: int, end: int, in_speech: bool, read: list[ReadWord], text: WrittenText, options: PlaceOptions
) -> Iterator[Part]:
    """Yield a piece of a part with its text; one that is too short or has another text than was read is left out."""
    if read[0].apart:
        yield left_out(part, start, end, "NOT_WRITTEN", read)
        return
    places = [place for word in read for place in word.words]
    found = list(ranges(places))
    if not found:
        yield left_out(part, start, end, "NOT_WRITTEN", read)
        return
    written_units = sum(len(text.units_of(place)) for place in places)
    match = 2 * sum(word.equal for word in read) / (written_units + len(read))
    times = [
        {
            "word": " ".join(text.words[place] for place in word.words),
            "start": (max(word.start, start) - start) / 1000,
            "end": (min(max(word.end, start), end) - start) / 1000,
        }
        for word in read
        if word.words
    ]
    written = " ".join(text.slice(a, b) for a, b in found)
    values = {"text": written, "first_word": places[0], "match": match, "words": times, "pred_text": as_read(read)}
    piece = part_of(part, SEGMENT, start, end, ends_in_speech=in_speech, **values)
    if end - start < options.shortest:
        yield piece | {"part": LEFT_OUT, "reason": "SHORT_SPEECH"}
    elif match < LEAST_MATCH:
        yield piece | {"part": LEFT_OUT, "reason": "MISMATCH"}
    else:
        yield piece


def left_out(part: Part, start: int, end: int, reason: str, read: list[ReadWord] | None = None) -> Part:
    heard = as_read(read) if read else None
    values = {"reason": reason, "pred_text": heard, "words": None, "match": None, "first_word": None}
    return part_of(part, LEFT_OUT, start, end, **values)


def as_read(read: list[ReadWord]) -> str:
    return join_spaceless(" ".join(word.text for word in read if word.text))


def ranges(places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and one past the last of places that follow on each other."""
    start = None
    for number, place in enumerate(places):
        if start is None:
            start = place
        if number + 1 == len(places) or places[number + 1] != place + 1:
            yield start, place + 1
            start = None
