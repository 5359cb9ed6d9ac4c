"""Readings of one utterance aligned into a network: slots, in each of which every reading has a unit or nothing.

One reading after the other is aligned to all those before it, not to the first alone, and what is new in it makes slots
of its own, in which the others have nothing: units behind an insertion stay where they are.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import takewhile

from winnow.text.vote_tokens import VoteToken

SUBSTITUTION, GAP = 4, 3  # sclite's costs, which ROVER has as well

NO_TOKEN = VoteToken("", "", None)

Slot = list[VoteToken]
"""What each reading has at one place; NOTHING where it has none."""


def build_network(readings: list[list[VoteToken]]) -> list[Slot]:
    """The slots, in each of which every reading has its say, in the order of the readings."""
    slots: list[Slot] = []
    for number, reading in enumerate(readings):
        absent = [NO_TOKEN] * number
        slots = [[*(slot or absent), unit or NO_TOKEN] for slot, unit in alignment_path(slots, reading, number)]
    return slots


def alignment_path(
    slots: list[Slot], reading: list[VoteToken], number: int
) -> Iterator[tuple[Slot | None, VoteToken | None]]:
    """The cheapest way through a network of so many readings and one more: slots with its units, and either alone."""
    words, said = [Counter(unit.word for unit in slot) for slot in slots], [unit.word for unit in reading]
    head = shared_prefix(words, said, number)
    tail = shared_prefix(words[head:][::-1], said[head:][::-1], number)
    end, last = len(slots) - tail, len(said) - tail
    yield from zip(slots[:head], reading[:head], strict=True)
    for i, j in aligned_pairs(words[head:end], said[head:last], number):
        yield None if i is None else slots[head + i], None if j is None else reading[head + j]
    yield from zip(slots[end:], reading[last:], strict=True)


def aligned_pairs(words: list[Counter[str]], said: list[str], number: int) -> Iterator[tuple[int | None, int | None]]:
    """The cheapest way where there is something to align, as indices."""
    rest = cost_table(words, said, number)
    i = j = 0
    while i < len(words) or j < len(said):
        cost = rest[i][j]
        if i < len(words) and j < len(said) and cost == match_cost(words[i], said[j], number) + rest[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif i < len(words) and cost == skip_cost(words[i], number) + rest[i + 1][j]:
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def shared_prefix(words: list[Counter[str]], said: list[str], number: int) -> int:
    """How many slots from the first on have nothing but the word of one more reading: there is nothing to align."""
    same = takewhile(lambda pair: pair[0][pair[1]] == number, zip(words, said, strict=False))
    return sum(1 for _ in same)


def cost_table(words: list[Counter[str]], said: list[str], number: int) -> list[list[int]]:
    """What is still to be paid, from each slot and each word of a reading on."""
    new = GAP * number
    rest = [[new * left for left in range(len(said), -1, -1)]]
    for has in reversed(words):
        below, skip = rest[-1], skip_cost(has, number)
        row = [skip + below[-1]]
        for j in range(len(said) - 1, -1, -1):
            row.append(min(match_cost(has, said[j], number) + below[j + 1], skip + below[j], new + row[-1]))
        rest.append(row[::-1])
    return rest[::-1]


def match_cost(has: Counter[str], word: str, number: int) -> int:
    """What a word costs in a slot: what it would against each reading there."""
    return SUBSTITUTION * (number - has[word]) - (SUBSTITUTION - GAP) * has[""]


def skip_cost(has: Counter[str], number: int) -> int:
    """What no word costs in a slot."""
    return GAP * (number - has[""])
