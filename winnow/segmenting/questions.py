"""Ask the model that read a recording how likely a sentence is in some place.

Words that were misheard are not alike those that are written, so chains of equal words leave them without a place; and
sentences that are alike are placed though another one is said. The likelihood of a sentence, in the place of what was
read there, tells in both cases.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations, product

import pyarrow as pa
from rapidfuzz.fuzz import ratio

from winnow.schema import UTTERANCE, extend_schema
from winnow.segmenting.parts import Part
from winnow.segmenting.read_words import ReadWord, as_read
from winnow.segmenting.texts import WrittenText
from winnow.segmenting.unpaired import ranges, sentences, spread
from winnow.text.words import join_spaceless

NATS = 15.0  # by which a sentence may be less likely than what was read, so that it counts as misread,
NATS_OF_WORD = 4.0  # and for each of its words; chosen on seeds 1 and 3 of benchmarks/long_recordings.py
LONG_SENTENCE = 60  # words
FAR = 2  # sentences of a longer stretch of text without a place that are asked for, at either end
UNLIKE = 0.25  # of the words of a placed sentence, that were not read as they are written

QUESTION = extend_schema(
    UTTERANCE,
    ("first_read", pa.int64()),  # of the words that were read in the recording: these
    ("end_read", pa.int64()),  # to before this one are replaced,
    ("first_word", pa.int64()),  # by the words of the text from this one
    ("end_word", pa.int64()),  # to before this one
    ("part", pa.int64()),  # number of the segment among the parts of its recording, from 0
)
"""Segments with what was read in them as their `text`, but with a sentence in the place of some of its words."""


@dataclass(frozen=True, order=True)
class Question:
    """Whether the words `written` of the text are said where the words `read` were read, which may be none."""

    first_word: int
    end_word: int
    first_read: int
    end_read: int
    part: int

    def excludes(self, other: "Question") -> bool:
        """Tell whether both replace the same word that was read in a segment, or are about the same place without one.

        Other sentences that are said there are questions of their own, for all of them in a row.
        """
        places = (self.first_read, self.end_read), (other.first_read, other.end_read)
        return places[0] == places[1] or (places[0][0] < places[1][1] and places[1][0] < places[0][1])


def ask(read: list[ReadWord], text: WrittenText, segments: list[int]) -> list[Question]:
    """Return the questions about a recording whose text was placed; `segments` are the numbers of those parts."""
    readers: dict[int, list[int]] = defaultdict(list)
    for number, word in enumerate(read):
        for place in word.words:
            readers[place].append(number)
    questions: set[Question] = set()
    for group in doubtful_sentences(read, text, readers):
        first, end = group[0][0], group[-1][1]
        own = [number for place in range(first, end) for number in readers.get(place, ())]
        if own:
            stretches = [(read[own[0]].part, *stretch_around(read, own, range(first, end)))]
        else:
            before, after = readers.get(first - 1), readers.get(end)
            stretches = [*beside(read, segments, max(before), 1)] if before else []
            stretches += beside(read, segments, min(after), -1) if after else []
        for (part, start, stop), (first_word, end_word) in product(stretches, runs_of(group)):
            questions.update(variants(Question(first_word, end_word, start, stop, part), read, text))
    return sorted(questions)


def doubtful_sentences(
    read: list[ReadWord], text: WrittenText, readers: dict[int, list[int]]
) -> Iterator[list[tuple[int, int]]]:
    """Yield sentences of which many words were not read as they are written, those in a row together.

    Each is the range of its words. Of a sentence that is long, as in a text without punctuation, or in two segments, it
    is a part without a place.
    """
    group: list[tuple[int, int]] = []
    for first, end in sentences(text, 0, len(text.words)):
        segments = {read[number].part for place in range(first, end) for number in readers.get(place, ())}
        is_long = end - first > LONG_SENTENCE or len(segments) > 1
        if not is_long and is_doubtful(read, text, readers, first, end):
            group.append((first, end))
            continue
        if group:
            yield group
        group = []
        if is_long:
            yield from ([part] for part in ranges([place for place in range(first, end) if place not in readers]))
    if group:
        yield group


def is_doubtful(read: list[ReadWord], text: WrittenText, readers: dict[int, list[int]], first: int, end: int) -> bool:
    units = sum(len(text.units_of(place)) for place in range(first, end))
    numbers = {number for place in range(first, end) for number in readers.get(place, ())}
    equal = sum(read[number].equal for number in numbers)
    missing = any(place not in readers for place in range(first, end) if text.units_of(place))
    return missing or units + len(numbers) - 2 * equal > UNLIKE * (units + len(numbers))


def runs_of(group: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield each sentence of a group, and several in a row; of a long group only some at either end."""
    if len(group) > 2 * FAR:
        yield from (*group[:FAR], *group[-FAR:])
        return
    for start, stop in combinations(range(len(group) + 1), 2):
        yield group[start][0], group[stop - 1][1]


def stretch_around(read: list[ReadWord], own: list[int], words: range) -> tuple[int, int]:
    """Return the range of words around the first of `own`, in its segment, that have none but these of the text."""

    def is_free(number: int) -> bool:
        return 0 <= number < len(read) and read[number].part == part and set(words).issuperset(read[number].words)

    part, start, stop = read[own[0]].part, own[0], own[0] + 1
    while is_free(start - 1):
        start -= 1
    while is_free(stop):
        stop += 1
    return start, stop


def beside(read: list[ReadWord], segments: list[int], word: int, step: int) -> Iterator[tuple[int, int, int]]:
    """Yield stretches after a word, or before it for a `step` of -1, that are not in the text: segment, first, end.

    They are the words next to it, which may be none, and the whole of the next segments while nothing in them is in the
    text. Where nothing was read in a segment, they begin behind all words.
    """
    part, number = read[word].part, word + step
    while 0 <= number < len(read) and read[number].part == part and not read[number].words:
        number += step
    yield (part, word + 1, number) if step > 0 else (part, number + 1, word)
    own = segments.index(part)
    for following in (segments[own + 1 :] if step > 0 else segments[:own][::-1])[:FAR]:
        if 0 <= number < len(read) and read[number].part == part:
            return
        numbers = [n for n, other in enumerate(read) if other.part == following]
        if any(read[n].words for n in numbers):
            return
        yield (following, numbers[0], numbers[-1] + 1) if numbers else (following, len(read), len(read))


def variants(question: Question, read: list[ReadWord], text: WrittenText) -> Iterator[Question]:
    """Yield the question, and others in which only the first or the last words that were read are replaced."""
    yield question
    sentence = "".join(unit for place in range(question.first_word, question.end_word) for unit in text.units_of(place))
    units = [read[number].unit for number in range(question.first_read, question.end_read)]
    if len(units) > 1:
        size = max(range(len(units) + 1), key=lambda size: ratio("".join(units[:size]), sentence))
        yield replace(question, end_read=question.first_read + size)
        size = max(range(len(units) + 1), key=lambda size: ratio("".join(units[size:]), sentence))
        yield replace(question, first_read=question.first_read + size)


def question_row(question: Question, read: list[ReadWord], text: WrittenText, part: Part) -> Part:
    """Return a row that a pass takes: a segment, and as its text what would have been read in it."""
    own = [number for number, word in enumerate(read) if word.part == question.part]
    before = as_read([read[number] for number in own if number < question.first_read])
    after = as_read([read[number] for number in own if number >= question.end_read])
    sentence = text.slice(question.first_word, question.end_word)
    values = {"text": join_spaceless(" ".join(filter(None, (before, sentence, after))))}
    return {name: part.get(name) for name in UTTERANCE.names} | values | asdict(question)


def settle(
    read: list[ReadWord], text: WrittenText, answers: Sequence[tuple[Question, float]], parts: list[Part]
) -> list[ReadWord]:
    """Return what was read, with sentences in the places where they are said, and without those that are not.

    An answer are the nats by which the sentence is less likely than what was read. Of several that exclude each other,
    the likeliest counts.
    """
    is_said: dict[tuple[int, int], bool] = {}
    count = len(read)
    taken_words: set[int] = set()
    taken: dict[int, list[Question]] = defaultdict(list)
    margins = [(NATS + NATS_OF_WORD * count_units(question, text) - nats, question) for question, nats in answers]
    for margin, question in sorted(
        margins, key=lambda item: (-item[0], item[1].first_read - item[1].end_read, item[1])
    ):
        words, numbers = range(question.first_word, question.end_word), range(question.first_read, question.end_read)
        sentence = (question.first_word, question.end_word)
        is_said.setdefault(sentence, False)
        if margin < 0 or taken_words.intersection(words) or any(map(question.excludes, taken[question.part])):
            continue
        is_said[sentence] = True
        taken_words.update(words)
        taken[question.part].append(question)
        if question.first_read < count:
            confirm(read, words, numbers, question.part)
        else:
            read = insert(read, words, question.part, parts[question.part])
    for (first, end), said in is_said.items():
        if not said and not taken_words.intersection(range(first, end)):
            withdraw(read, range(first, end))
    return sorted(read, key=lambda word: word.part)


def count_units(question: Question, text: WrittenText) -> int:
    return max(1, sum(len(text.units_of(place)) for place in range(question.first_word, question.end_word)))


def confirm(read: list[ReadWord], words: range, numbers: range, part: int) -> None:
    """Give words of the text to those that were read in their place, or to the word before or after."""
    for word in read:
        word.words = [place for place in word.words if place not in words]
    if numbers:
        for number in numbers:
            read[number].apart, read[number].confirmed = False, True
        spread(read, list(numbers), words)
        return
    beside = numbers.start - 1
    spread(read, [beside if beside >= 0 and read[beside].part == part else numbers.start], words)


def insert(read: list[ReadWord], words: range, number: int, part: Part) -> list[ReadWord]:
    """Return what was read, with an empty word for a sentence that is said in a segment where nothing was read."""
    inserted = ReadWord("", "", number, part["start_ms"], part["end_ms"], list(words), confirmed=True)
    return [*read, inserted]


def withdraw(read: list[ReadWord], words: range) -> None:
    """Take from a sentence its place; what was read there is not in the text."""
    own = [number for number, word in enumerate(read) if set(words).intersection(word.words)]
    for word in read[min(own) : max(own) + 1] if own else []:
        word.words = [place for place in word.words if place not in words]
        if not word.words and not word.confirmed:
            word.placed, word.equal, word.apart = False, False, True


def answers_by_recording(answered: pa.Table) -> dict[int, list[tuple[Question, float]]]:
    """Return the questions of each recording with the model's answers, as far as it had any."""
    answers: dict[int, list[tuple[Question, float]]] = defaultdict(list)
    for row in answered.to_pylist():
        if row["small_gap"] is not None:
            question = Question(*(row[field.name] for field in fields(Question)))
            answers[row["id"]].append((question, row["small_gap"]))
    return answers
