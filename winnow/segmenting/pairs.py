"""Pair the words that were read with those that are written: equal ones, and those between them that are alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, zip_longest

from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import ratio

from winnow.segmenting.chains import SEED, Run, find_chains

ALIKE = 55  # of 100, rapidfuzz's ratio: a word that was misheard
REACH = 50  # words beyond those that were read, in which their text is sought
UNLIKE, MISSING = -1.0, -0.5  # what a pair is worth whose words are not alike, and a word without a pair; equal ones: 1
ROUGH_MS = 30_000  # by which the times of a text may be wrong
MOST_CELLS = 25_000_000  # words read times words written


@dataclass(frozen=True)
class Word:
    """A normalized word: `group` is the part of the audio that it was read in, or `ends` tells that a sentence ends.

    `time` is when it was read, or roughly said, from the first to the second, in milliseconds; None if it is unknown.
    """

    text: str
    group: int = 0
    ends: bool = False
    time: tuple[int, int] | None = None


def pair_words(read: list[Word], written: list[Word]) -> list[int | None]:
    """Return the place in the text of each word that was read; None for one that is not in it.

    No two words have the same place. Places follow on each other but where the text is read in another order.
    """
    heard, text = [word.text for word in read], [word.text for word in written]
    places: list[int | None] = [None] * len(read)
    chains = find_chains(heard, text, partial(near_runs, read, written))
    runs = sorted(run for chain in chains for run in chain)
    for run in runs:
        places[run.read : run.read_end] = range(run.written, run.written_end)
    free = FreePlaces(len(written), runs)
    for before, after in zip([None, *runs], [*runs, None], strict=True):
        start, end = before.read_end if before else 0, after.read if after else len(read)
        if end > start:
            most = end - start + REACH
            candidates = free.beside(before.written_end if before else 0, after.written if after else len(text), most)
            pair_between(heard, text, places, range(start, end), candidates)
            free.take(places[start:end])
    slide_unsaid(read, written, places)
    slide_unwritten(read, written, places)
    return places


def near_runs(read: list[Word], written: list[Word], runs: list[Run]) -> list[Run]:
    """Return the runs that were read roughly when the text says; all of them if most were not: another edition's."""

    def is_near(run: Run) -> bool:
        heard, said = read[run.read].time, written[run.written].time
        return heard is None or said is None or said[0] - ROUGH_MS <= heard[0] <= said[1] + ROUGH_MS

    near = [run for run in runs if is_near(run)]
    return near if 2 * words_in(near) >= words_in(runs) else runs


def words_in(runs: list[Run]) -> int:
    """Count the words that were read in runs."""
    return len({word for run in runs for word in range(run.read, run.read_end)})


class FreePlaces:
    """The places of a text that nothing was paired with so far."""

    def __init__(self, length: int, runs: list[Run]) -> None:
        self.taken = bytearray(length)
        for run in runs:
            self.taken[run.written : run.written_end] = b"\1" * run.length

    def take(self, places: list[int | None]) -> None:
        for place in places:
            if place is not None:
                self.taken[place] = 1

    def beside(self, start: int, end: int, most: int) -> list[int]:
        """Return free places from `start` on and up to `end`, at most so many of each, until the next taken one."""
        first, last = start, end
        while first < min(len(self.taken), start + most) and not self.taken[first]:
            first += 1
        while last > max(0, end - most) and not self.taken[last - 1]:
            last -= 1
        if last < first and start <= end:  # they meet
            return list(range(start, end))
        return [*range(start, first), *range(last, end)]


def pair_between(
    read: list[str], written: list[str], places: list[int | None], numbers: range, candidates: list[int]
) -> None:
    """Pair words between two runs with some of the text, at the lowest cost.

    Pairs must be alike, and go on from one of the runs or be dense: other texts have common words as well.
    """
    if not len(numbers) or not candidates or len(numbers) * len(candidates) > MOST_CELLS:
        return
    said, text = [read[number] for number in numbers], [written[place] for place in candidates]
    columns = list(aligned(said, text))
    for i, j, worth in (columns[number] for number in plausible([worth for _, _, worth in columns])):
        if worth > 0 and i is not None and j is not None:
            places[numbers[i]] = candidates[j]


def aligned(read: list[str], written: list[str]) -> Iterator[tuple[int | None, int | None, float]]:
    """Yield an alignment: the number of either word, None where one is missing, and what the pair is worth."""
    for step in Levenshtein.opcodes(read, written):
        ours, theirs = range(step.src_start, step.src_end), range(step.dest_start, step.dest_end)
        for i, j in zip_longest(ours, theirs):
            if i is None or j is None:
                yield i, j, MISSING
            elif read[i] == written[j]:
                yield i, j, 1.0
            else:
                yield i, j, 0.5 if ratio(read[i], written[j]) >= ALIKE else UNLIKE


def plausible(worth: list[float]) -> list[int]:
    """Return which columns go on from the beginning or from the end, or are worth enough by themselves."""
    sums = [0.0, *accumulate(worth)]
    first = max(range(len(sums)), key=lambda number: (sums[number], -number))
    last = min(range(first, len(sums)), key=lambda number: (sums[number], -number))
    start, lowest, best = first, first, (0.0, first, first)
    for number in range(first, last + 1):
        if sums[number] < sums[lowest]:
            lowest = number
        best = max(best, (sums[number] - sums[lowest], lowest, number))
    start, end = best[1:] if best[0] >= SEED else (first, first)
    return [*range(first), *range(start, end), *range(last, len(worth))]


def slide_unsaid(read: list[Word], written: list[Word], places: list[int | None]) -> None:
    """Move gaps in the text to where sentences end, or where a pause is in the audio, if equal words allow it.

    Of "the cat the dog", "the dog" may be left out, or "cat the": both leave "the" and one other word.
    """
    for number in range(1, len(places)):
        before, after = places[number - 1], places[number]
        if before is None or after is None or after - before < 2:
            continue

        def worth(last: int, shift: int, number: int = number) -> float:
            pause = read[number + shift - 1].group != read[number + shift].group
            return 2 * written[last].ends + 1.5 * pause - 0.01 * abs(shift)

        options = {0: worth(before, 0)}
        shift = 0
        while (
            number + shift - 1 > 0
            and places[number + shift - 2] is not None
            and places[number + shift - 1] == before + shift
            and written[before + shift].text == written[after + shift - 1].text
        ):
            shift -= 1
            options[shift] = worth(before + shift, shift)
        shift = 0
        while (
            number + shift + 1 < len(places)
            and places[number + shift] == after + shift
            and written[after + shift].text == written[before + shift + 1].text
        ):
            shift += 1
            options[shift] = worth(before + shift, shift)
        best = max(options, key=lambda option: options[option])
        for step in range(best, 0):
            places[number + step] = after + step
        for step in range(best):
            places[number + step] = before + step + 1


def slide_unwritten(read: list[Word], written: list[Word], places: list[int | None]) -> None:
    """Move words that are not in the text to where pauses are, or sentences end, if equal words allow it."""
    number = 0
    while number < len(places):
        if places[number] is not None:
            number += 1
            continue
        end = number
        while end < len(places) and places[end] is None:
            end += 1
        slide_run(read, written, places, number, end)
        number = end + 1


def slide_run(read: list[Word], written: list[Word], places: list[int | None], start: int, end: int) -> None:
    """Move one run of words that are not in the text."""

    def worth(shift: int) -> float:
        first, last = start + shift, end + shift
        pauses = (first == 0 or read[first - 1].group != read[first].group) + (
            last == len(read) or read[last - 1].group != read[last].group
        )
        before = places[first - 1 if shift <= 0 else end + shift - 1] if first else None
        return pauses + (before is not None and written[before].ends) - 0.01 * abs(shift)

    options, shift = {0: worth(0)}, 0
    while (
        start + shift > 0 and places[start + shift - 1] is not None and equal(read, start + shift - 1, end + shift - 1)
    ):
        shift -= 1
        options[shift] = worth(shift)
    shift = 0
    while end + shift < len(read) and places[end + shift] is not None and equal(read, start + shift, end + shift):
        shift += 1
        options[shift] = worth(shift)
    best = max(options, key=lambda option: options[option])
    for step in range(-1, best - 1, -1):
        places[end + step], places[start + step] = places[start + step], None
    for step in range(best):
        places[start + step], places[end + step] = places[end + step], None


def equal(read: list[Word], one: int, other: int) -> bool:
    return read[one].text == read[other].text
