"""WER and CER of a model over a corpus, with confidence intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rapidfuzz.distance import Levenshtein

from winnow.text.comparison import Comparison
from winnow.text.normalize import Normalizer
from winnow.text.respell import normalize_pair
from winnow.text.words import join_spaceless, split_words

RESAMPLES = 1_000
SEED = 0
CONFIDENCE = 0.95

METHOD = (
    f"{CONFIDENCE:.0%} intervals by bootstrap: percentiles of the error rates of {RESAMPLES:,} samples of the "
    f"utterances, drawn with replacement (numpy, seed {SEED})"
)


class ErrorRate(BaseModel, frozen=True):
    """All errors over the length of all references, as a fraction, with its confidence interval; None if that is 0."""

    rate: float | None
    low: float | None
    high: float | None


class Accuracy(BaseModel, frozen=True):
    """Word and character error rates over the transcribed utterances whose reference has words."""

    utterances: int
    words: int
    wer: ErrorRate
    cer: ErrorRate


class ErrorCounts(NamedTuple):
    """Edit distances of one utterance, and the lengths of its reference; characters include spaces between words."""

    word_errors: int
    words: int
    character_errors: int
    characters: int


def measure_accuracy(
    texts: list[tuple[str, str]], comparison: Comparison | Normalizer, languages: list[str | None] | None = None
) -> Accuracy:
    """Return the accuracy over pairs of reference and hypothesis, given the language of each where it is known."""
    pairs = zip(texts, languages or [None] * len(texts), strict=True)
    counts = [count_errors(*normalize_pair(*pair, comparison, language)) for pair, language in pairs]
    table = np.array([row for row in counts if row.words], dtype=np.int64).reshape(-1, 4)
    return Accuracy(
        utterances=len(table),
        words=int(table[:, 1].sum()),
        wer=bootstrap_rate(table[:, 0], table[:, 1]),
        cer=bootstrap_rate(table[:, 2], table[:, 3]),
    )


def count_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count errors as jiwer does; in a script without spaces each character is a word."""
    words = split_words(reference)
    characters = join_spaceless(reference)
    return ErrorCounts(
        word_errors=Levenshtein.distance(words, split_words(hypothesis)),
        words=len(words),
        character_errors=Levenshtein.distance(characters, join_spaceless(hypothesis)),
        characters=len(characters),
    )


def bootstrap_rate(errors: NDArray[np.int64], lengths: NDArray[np.int64]) -> ErrorRate:
    """Return the error rate of a corpus and its interval, from the errors and reference length of each utterance."""
    if not lengths.sum():
        return ErrorRate(rate=None, low=None, high=None)
    generator = np.random.default_rng(SEED)
    samples = (generator.integers(0, len(lengths), len(lengths)) for _ in range(RESAMPLES))
    rates = [errors[sample].sum() / lengths[sample].sum() for sample in samples]
    low, high = np.quantile(rates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return ErrorRate(rate=float(errors.sum() / lengths.sum()), low=float(low), high=float(high))
