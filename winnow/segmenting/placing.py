"""Place the text of recordings in their parts, by what a model read there.

What was read of all parts is compared with all of the text, so a text that is longer, shorter or in another order than
what is said is not smeared over its neighbours: words that have no counterpart are kept apart.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

import pyarrow as pa
from pydantic import BaseModel

from winnow.schema import select_columns
from winnow.segmenting.parts import LEFT_OUT, PLACED, SEGMENT, UNPLACED, Part, part_of
from winnow.segmenting.questions import Question, answers_by_recording, settle
from winnow.segmenting.read_words import ReadWord, as_read, words_read
from winnow.segmenting.texts import WrittenText
from winnow.segmenting.unpaired import pair, place_unpaired, ranges
from winnow.text.languages import row_language
from winnow.text.normalize import Normalizer
from winnow.text.words import split_words

LEAST_MATCH = 0.5  # of the words of a segment
NEAR_PAUSE = 300  # milliseconds between the time of a word and the pause at which a segment ends


class PlaceOptions(BaseModel, frozen=True):
    """How words are compared, and the length of the shortest segment in milliseconds."""

    normalizer: Normalizer = "basic"
    shortest: int = 1000


def place_texts(
    parts: pa.Table, recordings: pa.Table, answered: pa.Table | None = None, *, options: PlaceOptions
) -> pa.Table:
    """Return the parts (PLACED) with the text of their recordings.

    Parts have the columns of a model that read them, as the first of a run's models; without those, texts stay
    unplaced. `answered` are questions about the recordings, with the same model's columns.
    """
    rows = parts_by_recording(parts)
    answers = answers_by_recording(answered) if answered else {}
    placed = [
        part
        for row in recordings.to_pylist()
        for part in place_text(row, rows[row["id"]], options if was_read(parts) else None, answers.get(row["id"], []))
    ]
    return pa.Table.from_pylist(placed, PLACED)


def was_read(parts: pa.Table) -> bool:
    """Tell whether a model read the parts."""
    return "small_pred_text" in parts.schema.names


def parts_by_recording(parts: pa.Table) -> dict[int, list[Part]]:
    """Return the parts of each recording; what a model could not read is left out."""
    renamed = parts.rename_columns([name.removeprefix("small_") for name in parts.schema.names])
    rows: dict[int, list[Part]] = defaultdict(list)
    for part in select_columns(renamed, PLACED).to_pylist():
        failed = part["part"] == SEGMENT and part["reason"]
        rows[part["id"]].append(part | {"part": LEFT_OUT} if failed else part)
    return rows


def has_words_to_place(row: Part, parts: list[Part]) -> bool:
    """Tell whether a recording has a text, and could be read."""
    return bool(split_words(row["text"] or "")) and not (parts and parts[0]["start_ms"] is None)


def place_text(
    row: Part, parts: list[Part], options: PlaceOptions | None, answers: Sequence[tuple[Question, float]]
) -> list[Part]:
    """Return the parts of a recording, and what of its text has no place in them; without options, all of it."""
    if not split_words(row["text"] or ""):
        return [part | {"words": None} for part in parts]
    if options is None or not has_words_to_place(row, parts):
        unread = parts[0]["reason"] if parts and parts[0]["start_ms"] is None else None
        return [*parts, unplaced(row, row["text"], 0, unread or "NOT_ALIGNED")]
    read, text = placed_words(row, parts, options)
    read = settle(read, text, answers, parts)
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


def placed_words(row: Part, parts: list[Part], options: PlaceOptions) -> tuple[list[ReadWord], WrittenText]:
    """Return what was read in the parts of a recording, with the words of its text, and the text."""
    language = row_language(row["fields"])
    text = WrittenText(row["text"], options.normalizer, language, rough_times(row.get("cues")))
    read = [
        word for number, part in enumerate(parts) for word in words_read(part, number, options.normalizer, language)
    ]
    return place_unpaired(read, text, pair(read, text), parts), text


def rough_times(cues: list[Part] | None) -> list[tuple[int, int] | None] | None:
    """Return the time of each word, as far as the parts of a text have times."""
    times = [
        None if cue["start_ms"] is None else (cue["start_ms"], cue["end_ms"])
        for cue in cues or ()
        for _ in range(cue["words"])
    ]
    return times if any(times) else None


def unplaced(row: Part, text: str, first: int, reason: str) -> Part:
    """Return words of a text as a part that has no place in the audio."""
    place = {"offset": None, "duration": None, "start_ms": None, "end_ms": None, "first_word": first, "text": text}
    return row | place | {"part": UNPLACED, "reason": reason, "detail": None}


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
        yield left_out(part, start, end, "NOT_WRITTEN" if as_read(read) else "NOTHING_READ", read)
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
            "start": (first - start) / 1000,
            "end": (last - start) / 1000,
        }
        for word in read
        if word.words
        for first, last in [(min(max(time, start), end) for time in (word.start, word.end))]
    ]
    written = " ".join(text.slice(a, b) for a, b in found)
    values = {"text": written, "first_word": places[0], "match": match, "words": times, "pred_text": as_read(read)}
    piece = part_of(part, SEGMENT, start, end, ends_in_speech=in_speech, **values)
    if end - start < options.shortest:
        yield piece | {"part": LEFT_OUT, "reason": "SHORT_SPEECH"}
    elif match < LEAST_MATCH and sum(word.equal or word.confirmed for word in read) < LEAST_MATCH * len(read):
        yield piece | {"part": LEFT_OUT, "reason": "MISMATCH"}
    else:
        yield piece


def left_out(part: Part, start: int, end: int, reason: str, read: list[ReadWord] | None = None) -> Part:
    heard = as_read(read) if read else None
    values = {"reason": reason, "pred_text": heard, "words": None, "match": None, "first_word": None}
    return part_of(part, LEFT_OUT, start, end, **values)
