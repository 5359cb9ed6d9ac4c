"""How right a model is over a corpus: WER and CER with their confidence intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rapidfuzz.distance import Levenshtein

from winnow.text.normalize import Normalizer, normalize, split_words

RESAMPLES = 1_000
SEED = 0
LEVEL = 0.95

METHOD = (
    f"{LEVEL:.0%} intervals by bootstrap: {RESAMPLES:,} times as many utterances drawn with replacement (numpy, seed "
    f"{SEED}), percentiles of their rates"
)


class Rate(BaseModel, frozen=True):
    """Errors over what was said, as a fraction, and the interval that it lies in; null where nothing was said."""

    rate: float | None
    low: float | None
    high: float | None


class Accuracy(BaseModel, frozen=True):
    """Over the utterances that were read and whose reference has words: all their errors over all that was said."""

    utterances: int
    words: int
    wer: Rate
    cer: Rate


class ErrorCounts(NamedTuple):
    """The errors in one utterance and what there was to get right; characters with the spaces between words."""

    word_errors: int
    words: int
    character_errors: int
    characters: int


def measure_accuracy(texts: list[tuple[str, str]], normalizer: Normalizer) -> Accuracy:
    """The accuracy of hypotheses against their references, both as (reference, hypothesis)."""
    counts = [count_errors(normalize(one, normalizer), normalize(other, normalizer)) for one, other in texts]
    table = np.array([pair for pair in counts if pair.words], dtype=np.int64).reshape(-1, 4)
    return Accuracy(
        utterances=len(table),
        words=int(table[:, 1].sum()),
        wer=bootstrap_rate(table[:, 0], table[:, 1]),
        cer=bootstrap_rate(table[:, 2], table[:, 3]),
    )


def count_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """As jiwer counts; of a script without spaces each character is a word."""
    expected = split_words(reference)
    return ErrorCounts(
        Levenshtein.distance(expected, split_words(hypothesis)),
        len(expected),
        Levenshtein.distance(reference, hypothesis),
        len(reference),
    )


def bootstrap_rate(errors: NDArray[np.int64], said: NDArray[np.int64]) -> Rate:
    if not said.sum():
        return Rate(rate=None, low=None, high=None)
    draw = np.random.default_rng(SEED)
    picks = (draw.integers(0, len(said), len(said)) for _ in range(RESAMPLES))
    rates = [errors[pick].sum() / said[pick].sum() for pick in picks]
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Rate(rate=float(errors.sum() / said.sum()), low=float(low), high=float(high))
