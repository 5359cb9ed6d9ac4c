"""Alignment of several hypotheses of an utterance into a network of slots.

In each slot, every hypothesis has a token or nothing. Each hypothesis is aligned with all earlier ones at once, and its
new tokens get slots of their own, so tokens after an insertion stay aligned.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import takewhile

from rapidfuzz.distance import Levenshtein

from winnow.text.vote_tokens import VoteToken

SUBSTITUTION, GAP = 4, 3  # costs of sclite and ROVER
MAX_CELLS = 1_000_000  # slots times words that are aligned at the lowest cost, about a second

NO_TOKEN = VoteToken("", "", None)

Slot = list[VoteToken]
"""The token of each hypothesis at one place; NO_TOKEN for those without one."""


def build_network(hypotheses: list[list[VoteToken]]) -> list[Slot]:
    """Align hypotheses, given as tokens; each slot has one entry per hypothesis, in their order."""
    slots: list[Slot] = []
    for count, tokens in enumerate(hypotheses):
        absent = [NO_TOKEN] * count
        slots = [[*(slot or absent), token or NO_TOKEN] for slot, token in alignment_path(slots, tokens, count)]
    return slots


def alignment_path(
    slots: list[Slot], tokens: list[VoteToken], count: int
) -> Iterator[tuple[Slot | None, VoteToken | None]]:
    """Yield the cheapest alignment of one more hypothesis with a network of `count`: pairs of slot and token."""
    words, added = [Counter(token.word for token in slot) for slot in slots], [token.word for token in tokens]
    head = shared_prefix(words, added, count)
    tail = shared_prefix(words[head:][::-1], added[head:][::-1], count)
    end, last = len(slots) - tail, len(added) - tail
    yield from zip(slots[:head], tokens[:head], strict=True)
    align = aligned_pairs if (end - head) * (last - head) <= MAX_CELLS else approximate_pairs
    for i, j in align(words[head:end], added[head:last], count):
        yield None if i is None else slots[head + i], None if j is None else tokens[head + j]
    yield from zip(slots[end:], tokens[last:], strict=True)


def aligned_pairs(words: list[Counter[str]], added: list[str], count: int) -> Iterator[tuple[int | None, int | None]]:
    """Yield the cheapest alignment as indices of slot and word; None where one has no partner."""
    rest = cost_table(words, added, count)
    i = j = 0
    while i < len(words) or j < len(added):
        cost = rest[i][j]
        if i < len(words) and j < len(added) and cost == match_cost(words[i], added[j], count) + rest[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif i < len(words) and cost == skip_cost(words[i], count) + rest[i + 1][j]:
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def approximate_pairs(
    words: list[Counter[str]], added: list[str], count: int
) -> Iterator[tuple[int | None, int | None]]:
    """Yield the same for long texts, aligned with the most frequent word of each slot."""
    frequent = [max(slot, key=slot.__getitem__) for slot in words]
    for step in Levenshtein.opcodes(frequent, added):
        slots, tokens = range(step.src_start, step.src_end), range(step.dest_start, step.dest_end)
        if step.tag in ("equal", "replace"):
            yield from zip(slots, tokens, strict=True)
        else:
            yield from ((i, None) for i in slots)
            yield from ((None, j) for j in tokens)


def shared_prefix(words: list[Counter[str]], added: list[str], count: int) -> int:
    """Count the first slots in which all hypotheses have the same word as the new one: they need no alignment."""
    same = takewhile(lambda pair: pair[0][pair[1]] == count, zip(words, added, strict=False))
    return sum(1 for _ in same)


def cost_table(words: list[Counter[str]], added: list[str], count: int) -> list[list[int]]:
    """Return the lowest cost of aligning the rest, from each slot and each word on."""
    new = GAP * count
    rest = [[new * left for left in range(len(added), -1, -1)]]
    for slot in reversed(words):
        below, skip = rest[-1], skip_cost(slot, count)
        row = [skip + below[-1]]
        for j in range(len(added) - 1, -1, -1):
            row.append(min(match_cost(slot, added[j], count) + below[j + 1], skip + below[j], new + row[-1]))
        rest.append(row[::-1])
    return rest[::-1]


def match_cost(slot: Counter[str], word: str, count: int) -> int:
    """Return the cost of a word in a slot, summed over the hypotheses there."""
    return SUBSTITUTION * (count - slot[word]) - (SUBSTITUTION - GAP) * slot[""]


def skip_cost(slot: Counter[str], count: int) -> int:
    """Return the cost of no word in a slot."""
    return GAP * (count - slot[""])
