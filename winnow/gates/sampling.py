"""Samples of utterances: drawn by the ids alone, so that a larger sample contains a smaller one."""

from math import sqrt

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

Z_95 = 1.96  # standard deviations: 95 %

MAX_SAMPLE = 400  # utterances: enough for a rate in each of some twenty steps
MAX_SHARE_OF_BUDGET = 0.25  # of the budget that finding out how to spend the rest may take


def draw_numbers(ids: pa.ChunkedArray | pa.Array) -> Numbers:
    """Return a pseudorandom number from 0 to 1 for each id, the same one every time."""
    hashes = (xxhash.xxh3_64_intdigest(number.to_bytes(8, "little")) for number in ids.to_pylist())
    return np.fromiter(hashes, np.uint64, len(ids)) / 2.0**64


def is_drawn(ids: pa.ChunkedArray | pa.Array, share: float) -> pa.Array:
    """Return whether each id belongs to a sample of this share (0 to 1)."""
    return pa.array(draw_numbers(ids) < share)


def sample_share(drawn: Numbers, candidates: Flags, seconds: Numbers, budget: float) -> float:
    """Return the largest share of the candidates that the sample's part of a budget (in seconds) allows."""
    order = np.argsort(drawn)
    spent = np.cumsum(np.where(candidates, seconds, 0.0)[order])
    within = (spent <= MAX_SHARE_OF_BUDGET * budget) & (np.cumsum(candidates[order]) <= MAX_SAMPLE)
    return 1.0 if within.all() else float(drawn[order[np.argmin(within)]])


def wilson_interval(successes: float, trials: float) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion, from 0 to 1.

    Wilson's score interval (E. B. Wilson, Probable inference, JASA 22, 1927), which holds for few trials and for no
    successes as well. Without successes it begins at exactly 0, without failures it ends at exactly 1.
    """
    if not trials:
        return 0.0, 1.0
    proportion, spread = successes / trials, Z_95**2 / trials
    middle = proportion + spread / 2
    width = Z_95 * sqrt(proportion * (1 - proportion) / trials + spread / trials / 4)
    low, high = ((middle + sign * width) / (1 + spread) for sign in (-1, 1))
    return 0.0 if successes <= 0 else max(0.0, low), 1.0 if successes >= trials else min(1.0, high)
