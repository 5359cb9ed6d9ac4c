"""ROVER: align hypotheses of an utterance into a network of slots and vote in each slot.

After J. Fiscus, A post-processing system to yield reduced word error rates, ASRU 1997.
"""

from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from winnow.text.alignment import Slot, build_network
from winnow.text.basic import evident_language
from winnow.text.comparison import Comparison, comparison_by
from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import Normalizer
from winnow.text.vote_spellings import unify_spellings
from winnow.text.vote_tokens import VoteToken, vote_tokens


class VoteWeights(NamedTuple):
    """How votes are counted: `alpha` x share of the votes + (1 - `alpha`) x confidence ** `exponent`.

    `null_confidence` (0 to 1) is the confidence of a hypothesis that has no word where another has one; None: that of
    the less confident of its two neighbouring words.
    """

    alpha: float = 0.5
    exponent: float = 0.25
    null_confidence: float | None = None


VOTES_ONLY = VoteWeights(alpha=1.0)


class Agreement(NamedTuple):
    """The share (0 to 1) of hypotheses that have a word of a text: the mean over its words and gaps, and the lowest.

    Both are None for a text without words.
    """

    mean: float | None = None
    lowest: float | None = None


class Consensus(NamedTuple):
    """A text, and the agreement with it as in `Agreement`."""

    text: str
    agreement: float | None
    lowest_agreement: float | None


def rover(
    hypotheses: list[Hypothesis], comparison: Comparison | Normalizer, weights: VoteWeights, language: str | None = None
) -> Consensus:
    """Combine hypotheses by vote, whatever their order.

    A word's score is alpha times its share of the votes plus 1 - alpha times their mean confidence. Having no word is
    voted on like a word. If a hypothesis has no confidence, only votes count. Ties go to the hypothesis with the higher
    confidence of its utterance, then to the longer one, then by the alphabet.
    """
    slots = vote_network(sorted(hypotheses, key=sort_key), comparison, language)
    if any(token.word and token.confidence is None for slot in slots for token in slot):
        weights = VOTES_ONLY
    elif weights.alpha < 1:
        slots = fill_null_confidence(slots, weights.null_confidence)
    winners = [winning_word(slot, weights) for slot in slots]
    text = "".join(spelling(slot, word) for slot, word in zip(slots, winners, strict=True))
    return Consensus(text.strip(), *agreement_of(slots, winners))


def vote_network(hypotheses: list[Hypothesis], comparison: Comparison | Normalizer, language: str | None) -> list[Slot]:
    """Align hypotheses into a network, each spelled like those before it.

    Where the language is not known, letters of any of them may tell.
    """
    language = language or evident_language(*(hypothesis.text for hypothesis in hypotheses))
    comparison = comparison_by(comparison)
    tokens = [vote_tokens(hypothesis, comparison.normalizer, language) for hypothesis in hypotheses]
    return build_network(unify_spellings(hypotheses, tokens, comparison, language))


def most_confident(
    hypotheses: list[Hypothesis], comparison: Comparison | Normalizer, language: str | None = None
) -> tuple[Consensus, int]:
    """Select the hypothesis with the highest confidence of its utterance, with its index; ties as in `rover`."""
    order = sorted(range(len(hypotheses)), key=lambda index: sort_key(hypotheses[index]))
    agreed = agreement_with([hypotheses[index] for index in order], comparison, language)
    return Consensus(hypotheses[order[0]].text, *agreed), order[0]


def agreement_with(
    hypotheses: list[Hypothesis], comparison: Comparison | Normalizer, language: str | None = None
) -> Agreement:
    """Return the agreement of the hypotheses with the first one; unknown if no one has a word."""
    slots = vote_network(hypotheses, comparison, language)
    return agreement_of(slots, [slot[0].word for slot in slots])


def sort_key(hypothesis: Hypothesis) -> tuple[float, int, str, list[float]]:
    """Sort hypotheses by confidence of the utterance and by length, highest first, then by text and words."""
    confidence = -1.0 if hypothesis.confidence is None else hypothesis.confidence
    return -confidence, -len(hypothesis.text), hypothesis.text, hypothesis.word_confidence or []


def fill_null_confidence(slots: list[Slot], given: float | None) -> list[Slot]:
    """Give missing words a confidence: the given one, or that of the less confident of the neighbouring words.

    A model that merges two words into one is not confident of it, and should not outvote models that have both.
    """
    hypotheses = [list(tokens) for tokens in zip(*slots, strict=True)]
    for tokens in hypotheses:
        before, after = list(accumulate(tokens, nearest_word)), list(accumulate(tokens[::-1], nearest_word))[::-1]
        for at, token in enumerate(tokens):
            if not token.word:
                beside = [near.confidence or 0.0 for near in (before[at], after[at]) if near.word]
                tokens[at] = replace(token, confidence=min(beside, default=0.0) if given is None else given)
    return [list(slot) for slot in zip(*hypotheses, strict=True)]


def nearest_word(earlier: VoteToken, token: VoteToken) -> VoteToken:
    """Return the token, or the earlier one if it has no word."""
    return token if token.word else earlier


def winning_word(slot: Slot, weights: VoteWeights) -> str:
    """Return the word that wins the vote in a slot; an empty one if having no word wins."""
    scores = {}
    for word in dict.fromkeys(token.word for token in slot):
        trust = [(token.confidence or 0.0) ** weights.exponent for token in slot if token.word == word]
        scores[word] = round(weights.alpha * len(trust) / len(slot) + (1 - weights.alpha) * sum(trust) / len(trust), 9)
    return max(scores, key=scores.__getitem__)  # the first of equals


def spelling(slot: Slot, word: str) -> str:
    """Return the most frequent spelling of a word in a slot; ties go to the higher confidence."""
    written: dict[str, tuple[int, float]] = {}
    for token in slot:
        if token.word == word:
            count, trust = written.get(token.spelling, (0, 0.0))
            written[token.spelling] = count + 1, trust + (token.confidence or 0.0)
    return max(written, key=written.__getitem__)


def agreement_of(slots: list[Slot], chosen: list[str]) -> Agreement:
    """Return the share of hypotheses that have the chosen word of each slot."""
    shares = [sum(token.word == word for token in slot) / len(slot) for slot, word in zip(slots, chosen, strict=True)]
    if not shares:
        return Agreement()
    return Agreement(round(sum(shares) / len(shares), 9), min(shares))  # so that 0.1 + 0.2 compares as 0.3
