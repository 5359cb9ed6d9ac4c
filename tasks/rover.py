"""ROVER: readings of one utterance are aligned into a network, and what stands in each slot is put to the vote.

After J. Fiscus, A post-processing system to yield reduced word error rates, ASRU 1997.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import NamedTuple

from tasks.panel import Rover
from tasks.recogniser import Reading
from tasks.text import Normalizer
from tasks.units import Unit, units

SUBSTITUTION, GAP = 4, 3  # sclite's costs, as Fiscus has them

NOTHING = Unit("", "", None)
VOTES_ONLY = Rover(alpha=1.0)

Slot = list[Unit]
"""What each reading has at one place; NOTHING where it has none."""


class Consensus(NamedTuple):
    """A text, and the mean share of the readings that have what it has, slot by slot; null where there is no word."""

    text: str
    agreement: float | None


def rover(readings: list[Reading], normalizer: Normalizer, how: Rover) -> Consensus:
    """The vote over all readings; in which order they come makes no difference.

    A word's score is alpha times its share of the votes, and 1 - alpha times their mean confidence. Having no word is
    voted on like a word. Where a reading knows no confidence, votes alone count. Equal scores go to the reading of the
    higher confidence of its utterance, then to the longer one, then by the alphabet.
    """
    slots = network([units(reading, normalizer) for reading in sorted(readings, key=standing)])
    if any(unit.word and unit.confidence is None for slot in slots for unit in slot):
        how = VOTES_ONLY
    elif how.alpha < 1:
        slots = with_doubt(slots, how.null_confidence)
    winners = [winner(slot, how) for slot in slots]
    text = "".join(spelling(slot, word) for slot, word in zip(slots, winners, strict=True))
    return Consensus(text.strip(), agreement(slots, winners))


def most_confident(readings: list[Reading], normalizer: Normalizer) -> tuple[Consensus, int]:
    """The reading with the highest confidence of its utterance, and which one that is; see `rover` for equals."""
    order = sorted(range(len(readings)), key=lambda index: standing(readings[index]))
    agreed = agreement_with([readings[index] for index in order], normalizer)
    return Consensus(readings[order[0]].text, agreed), order[0]


def agreement_with(readings: list[Reading], normalizer: Normalizer) -> float | None:
    """The mean share of the readings that have what the first one has; null where there is no word."""
    slots = network([units(reading, normalizer) for reading in readings])
    return agreement(slots, [slot[0].word for slot in slots])


def standing(reading: Reading) -> tuple[float, int, str, list[float]]:
    """What readings are sorted by: confidence of the utterance and length, the highest first, then text and words."""
    confidence = -1.0 if reading.confidence is None else reading.confidence
    return -confidence, -len(reading.text), reading.text, reading.word_confidence or []


def network(readings: list[list[Unit]]) -> list[Slot]:
    """The slots, in each of which every reading has its say, in the order of the readings."""
    slots: list[Slot] = []
    for number, reading in enumerate(readings):
        absent = [NOTHING] * number
        slots = [[*(slot or absent), unit or NOTHING] for slot, unit in path(slots, reading, number)]
    return slots


def path(slots: list[Slot], reading: list[Unit], number: int) -> Iterator[tuple[Slot | None, Unit | None]]:
    """The cheapest way through a network of so many readings and one more: slots with its units, and either alone."""
    words, said = [Counter(unit.word for unit in slot) for slot in slots], [unit.word for unit in reading]
    head = alike(words, said, number)
    tail = alike(words[head:][::-1], said[head:][::-1], number)
    end, last = len(slots) - tail, len(said) - tail
    yield from zip(slots[:head], reading[:head], strict=True)
    for i, j in steps(words[head:end], said[head:last], number):
        yield None if i is None else slots[head + i], None if j is None else reading[head + j]
    yield from zip(slots[end:], reading[last:], strict=True)


def steps(words: list[Counter[str]], said: list[str], number: int) -> Iterator[tuple[int | None, int | None]]:
    """The cheapest way where there is something to align, as indices."""
    rest = costs(words, said, number)
    i = j = 0
    while i < len(words) or j < len(said):
        cost = rest[i][j]
        if i < len(words) and j < len(said) and cost == met(words[i], said[j], number) + rest[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif i < len(words) and cost == skipped(words[i], number) + rest[i + 1][j]:
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def alike(words: list[Counter[str]], said: list[str], number: int) -> int:
    """How many slots from the first on have nothing but the word of one more reading: there is nothing to align."""
    same = takewhile(lambda pair: pair[0][pair[1]] == number, zip(words, said, strict=False))
    return sum(1 for _ in same)


def costs(words: list[Counter[str]], said: list[str], number: int) -> list[list[int]]:
    """What is still to be paid, from each slot and each word of a reading on."""
    new = GAP * number
    rest = [[new * left for left in range(len(said), -1, -1)]]
    for has in reversed(words):
        below, skip = rest[-1], skipped(has, number)
        row = [skip + below[-1]]
        for j in range(len(said) - 1, -1, -1):
            row.append(min(met(has, said[j], number) + below[j + 1], skip + below[j], new + row[-1]))
        rest.append(row[::-1])
    return rest[::-1]


def met(has: Counter[str], word: str, number: int) -> int:
    """What a word costs in a slot: what it would against each reading there."""
    return SUBSTITUTION * (number - has[word]) - (SUBSTITUTION - GAP) * has[""]


def skipped(has: Counter[str], number: int) -> int:
    """What no word costs in a slot."""
    return GAP * (number - has[""])


def with_doubt(slots: list[Slot], given: float | None) -> list[Slot]:
    """The slots with a confidence in having no word: as given, or that of the less sure of the words on either side.

    A model that runs two words into one is not sure of it, and should not outvote those that hear both.
    """
    readings = [list(reading) for reading in zip(*slots, strict=True)]
    for reading in readings:
        before, after = list(accumulate(reading, latest)), list(accumulate(reading[::-1], latest))[::-1]
        for at, unit in enumerate(reading):
            if not unit.word:
                beside = [near.confidence or 0.0 for near in (before[at], after[at]) if near.word]
                reading[at] = replace(unit, confidence=min(beside, default=0.0) if given is None else given)
    return [list(slot) for slot in zip(*readings, strict=True)]


def latest(earlier: Unit, unit: Unit) -> Unit:
    return unit if unit.word else earlier


def winner(slot: Slot, how: Rover) -> str:
    """The word of a slot; nothing where that is what has won."""
    scores = {}
    for word in dict.fromkeys(unit.word for unit in slot):
        trust = [(unit.confidence or 0.0) ** how.exponent for unit in slot if unit.word == word]
        scores[word] = round(how.alpha * len(trust) / len(slot) + (1 - how.alpha) * sum(trust) / len(trust), 9)
    return max(scores, key=scores.__getitem__)  # the first of equals


def spelling(slot: Slot, word: str) -> str:
    """How most readings write the word; the most confident ones of them, if that leaves several."""
    written: dict[str, tuple[int, float]] = {}
    for unit in slot:
        if unit.word == word:
            count, trust = written.get(unit.spelling, (0, 0.0))
            written[unit.spelling] = count + 1, trust + (unit.confidence or 0.0)
    return max(written, key=written.__getitem__)


def agreement(slots: list[Slot], chosen: list[str]) -> float | None:
    """The mean share of the readings that have in a slot what was chosen there; null where there is no slot."""
    shares = [sum(unit.word == word for unit in slot) / len(slot) for slot, word in zip(slots, chosen, strict=True)]
    return sum(shares) / len(shares) if shares else None
