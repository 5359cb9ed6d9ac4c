"""Samples of utterances: drawn by the ids alone, so that a larger sample contains a smaller one."""

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

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
