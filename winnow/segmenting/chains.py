"""Chains of equal words in what was read and what is written, wherever in the text they are.

Words are matched by runs of three, and runs that follow on each other in both are joined to chains, as programs that
align DNA join their seeds (Li 2018, minimap2). A chapter that is read in another place is a chain of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import log2
from typing import NamedTuple

SEED = 3  # words
MOST_PLACES = 50  # of a seed in the text; one that is in more of them says nothing
RARE = 2  # places of a seed that says much
LONG = 6  # words of a run that says much without a rare seed
MOST_SKIPPED = 100  # words between two runs of a chain, read or written
LOOK_BACK = 200  # runs
FACTOR = (
    2  # by which a run is longer than another one of the same words, so that the latter is the same phrase by chance
)
LEAST = 10  # words of a chain
SKIP_COST = 0.2  # words, for each that is skipped, in what was read or written, whichever is more


class Run(NamedTuple):
    """Equal words: `length` of them from `read` on in what was read, and from `written` on in the text."""

    read: int
    written: int
    length: int

    @property
    def read_end(self) -> int:
        return self.read + self.length

    @property
    def written_end(self) -> int:
        return self.written + self.length


Chain = list[Run]


def find_chains(read: list[str], written: list[str], select: Callable[[list[Run]], list[Run]] = list) -> list[Chain]:
    """Return chains of selected runs that share no word, the best first; one may lie in a gap of another."""
    runs = without_explained(select(find_runs(read, written)), len(read), len(written))
    used_read, used_written = bytearray(len(read)), bytearray(len(written))
    least = min(LEAST, max(1, min(len(read), len(written)) // 2))
    chains = []
    for chain in best_chains(runs):
        free = without_overlaps([part for run in chain for part in free_parts(run, used_read, used_written)])
        if score_of(free) < least:
            continue
        chains.append(free)
        for run in free:
            used_read[run.read : run.read_end] = b"\1" * run.length
            used_written[run.written : run.written_end] = b"\1" * run.length
    return chains


def free_parts(run: Run, used_read: bytearray, used_written: bytearray) -> Iterator[Run]:
    """Yield the parts of a run, of at least SEED words, in which no word is used by another chain."""
    if not any(used_read[run.read : run.read_end]) and not any(used_written[run.written : run.written_end]):
        yield run
        return
    start = 0
    for number in range(run.length + 1):
        if number == run.length or used_read[run.read + number] or used_written[run.written + number]:
            if number - start >= SEED:
                yield Run(run.read + start, run.written + start, number - start)
            start = number + 1


def find_runs(read: list[str], written: list[str]) -> list[Run]:
    """Return all maximal runs of at least SEED equal words, in the order in which they were read."""
    places = defaultdict(list)
    for place in range(len(written) - SEED + 1):
        places[tuple(written[place : place + SEED])].append(place)
    runs: list[Run] = []
    growing: dict[int, tuple[int, int]] = {}  # by diagonal: where the run began and where its last seed did
    for place in range(len(read) - SEED + 1):
        found = places.get(tuple(read[place : place + SEED]), [])
        for other in found if len(found) <= MOST_PLACES else ():
            start, last = growing.get(other - place, (place, place - 1))
            if last != place - 1:
                runs.append(Run(start, start + other - place, last + SEED - start))
                start = place
            growing[other - place] = start, place
    runs += [Run(start, start + diagonal, last + SEED - start) for diagonal, (start, last) in growing.items()]
    rare = bytearray(
        len(place) <= RARE for place in (places[tuple(written[i : i + SEED])] for i in range(len(written)))
    )
    return sorted(run for run in runs if run.length >= LONG or any(rare[run.written : run.written_end - SEED + 1]))


def without_explained(runs: list[Run], read: int, written: int) -> list[Run]:
    """Return the runs but those all of whose words, read or written, are in runs that are much longer.

    They would take a phrase out of the middle of these. `read` and `written` are the numbers of words.
    """
    longest_read, longest_written = [0] * read, [0] * written
    for run in sorted(runs, key=lambda run: run.length):
        longest_read[run.read : run.read_end] = longest_written[run.written : run.written_end] = [
            run.length
        ] * run.length
    return [
        run
        for run in runs
        if min(longest_read[run.read : run.read_end]) < FACTOR * run.length
        and min(longest_written[run.written : run.written_end]) < FACTOR * run.length
    ]


def score_of(chain: Chain) -> float:
    """Return the words of a chain, less what is skipped."""
    return sum(gain(run, after) for run, after in pairwise(chain)) + chain[0].length if chain else 0.0


def best_chains(runs: list[Run]) -> Iterator[Chain]:
    """Yield chains by their score, the best first; each run is in one of them."""
    scores: list[float] = []
    before: list[int | None] = []
    for number, run in enumerate(runs):
        score, previous = float(run.length), None
        for other in range(number - 1, max(-1, number - 1 - LOOK_BACK), -1):
            if run.read - runs[other].read_end > MOST_SKIPPED:
                continue
            if (joined := scores[other] + gain(runs[other], run)) > score:
                score, previous = joined, other
        scores.append(score)
        before.append(previous)
    used = set()
    for last in sorted(range(len(runs)), key=lambda number: (-scores[number], number)):
        chain, current = [], last if last not in used else None
        while current is not None and current not in used:
            used.add(current)
            chain.append(runs[current])
            current = before[current]
        if chain:
            yield chain[::-1]


def gain(run: Run, after: Run) -> float:
    """Return what a run adds to the score of a chain that ends with another: new words, less what is skipped."""
    read, written = after.read - run.read_end, after.written - run.written_end
    if after.read <= run.read or after.written <= run.written or written > MOST_SKIPPED:
        return float("-inf")
    new = after.length + min(0, read, written)
    shift = abs(read - written)
    return new - log2(1 + shift) / 2 - SKIP_COST * max(0, read, written) if new > 0 else float("-inf")


def without_overlaps(chain: Chain) -> Chain:
    """Cut from the beginning of each run what the one before it has."""
    result: Chain = []
    for run in chain:
        over = max(0, result[-1].read_end - run.read, result[-1].written_end - run.written) if result else 0
        if over < run.length:
            result.append(Run(run.read + over, run.written + over, run.length - over))
    return result
