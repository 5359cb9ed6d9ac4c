"""ROVER: readings of one utterance are aligned into a network, and what stands in each slot is put to the vote.

After J. Fiscus, A post-processing system to yield reduced word error rates, ASRU 1997.
"""

from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from winnow.text.alignment import Slot, build_network
from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import Normalizer
from winnow.text.vote_tokens import VoteToken, vote_tokens


class VoteWeights(NamedTuple):
    """How votes are counted: `alpha` x share of the votes + (1 - `alpha`) x confidence ** `exponent`.

    `null_confidence` (0 to 1) is that of a hypothesis without a word where another has one; None: that of the less
    confident of the words on either side.
    """

    alpha: float = 0.5
    exponent: float = 0.25
    null_confidence: float | None = None


VOTES_ONLY = VoteWeights(alpha=1.0)


class Consensus(NamedTuple):
    """A text, and the mean share of the readings that have what it has, slot by slot; null where there is no word."""

    text: str
    agreement: float | None


def rover(readings: list[Hypothesis], normalizer: Normalizer, weights: VoteWeights) -> Consensus:
    """The vote over all readings; in which order they come makes no difference.

    A word's score is alpha times its share of the votes, and 1 - alpha times their mean confidence. Having no word is
    voted on like a word. Where a reading knows no confidence, votes alone count. Equal scores go to the reading of the
    higher confidence of its utterance, then to the longer one, then by the alphabet.
    """
    slots = build_network([vote_tokens(reading, normalizer) for reading in sorted(readings, key=sort_key)])
    if any(unit.word and unit.confidence is None for slot in slots for unit in slot):
        weights = VOTES_ONLY
    elif weights.alpha < 1:
        slots = fill_null_confidence(slots, weights.null_confidence)
    winners = [winning_word(slot, weights) for slot in slots]
    text = "".join(spelling(slot, word) for slot, word in zip(slots, winners, strict=True))
    return Consensus(text.strip(), mean_agreement(slots, winners))


def most_confident(readings: list[Hypothesis], normalizer: Normalizer) -> tuple[Consensus, int]:
    """The reading with the highest confidence of its utterance, and which one that is; see `rover` for equals."""
    order = sorted(range(len(readings)), key=lambda index: sort_key(readings[index]))
    agreed = agreement_with([readings[index] for index in order], normalizer)
    return Consensus(readings[order[0]].text, agreed), order[0]


def agreement_with(readings: list[Hypothesis], normalizer: Normalizer) -> float | None:
    """The mean share of the readings that have what the first one has; null where there is no word."""
    slots = build_network([vote_tokens(reading, normalizer) for reading in readings])
    return mean_agreement(slots, [slot[0].word for slot in slots])


def sort_key(reading: Hypothesis) -> tuple[float, int, str, list[float]]:
    """What readings are sorted by: confidence of the utterance and length, the highest first, then text and words."""
    confidence = -1.0 if reading.confidence is None else reading.confidence
    return -confidence, -len(reading.text), reading.text, reading.word_confidence or []


def fill_null_confidence(slots: list[Slot], given: float | None) -> list[Slot]:
    """The slots with a confidence in having no word: as given, or that of the less sure of the words on either side.

    A model that runs two words into one is not sure of it, and should not outvote those that hear both.
    """
    readings = [list(reading) for reading in zip(*slots, strict=True)]
    for reading in readings:
        before, after = list(accumulate(reading, nearest_word)), list(accumulate(reading[::-1], nearest_word))[::-1]
        for at, unit in enumerate(reading):
            if not unit.word:
                beside = [near.confidence or 0.0 for near in (before[at], after[at]) if near.word]
                reading[at] = replace(unit, confidence=min(beside, default=0.0) if given is None else given)
    return [list(slot) for slot in zip(*readings, strict=True)]


def nearest_word(earlier: VoteToken, unit: VoteToken) -> VoteToken:
    return unit if unit.word else earlier


def winning_word(slot: Slot, weights: VoteWeights) -> str:
    """The word of a slot; nothing where that is what has won."""
    scores = {}
    for word in dict.fromkeys(unit.word for unit in slot):
        trust = [(unit.confidence or 0.0) ** weights.exponent for unit in slot if unit.word == word]
        scores[word] = round(weights.alpha * len(trust) / len(slot) + (1 - weights.alpha) * sum(trust) / len(trust), 9)
    return max(scores, key=scores.__getitem__)  # the first of equals


def spelling(slot: Slot, word: str) -> str:
    """How most readings write the word; the most confident ones of them, if that leaves several."""
    written: dict[str, tuple[int, float]] = {}
    for unit in slot:
        if unit.word == word:
            count, trust = written.get(unit.spelling, (0, 0.0))
            written[unit.spelling] = count + 1, trust + (unit.confidence or 0.0)
    return max(written, key=written.__getitem__)


def mean_agreement(slots: list[Slot], chosen: list[str]) -> float | None:
    """The mean share of the readings that have in a slot what was chosen there; null where there is no slot."""
    shares = [sum(unit.word == word for unit in slot) / len(slot) for slot, word in zip(slots, chosen, strict=True)]
    return round(sum(shares) / len(shares), 9) if shares else None  # so that a half is one
