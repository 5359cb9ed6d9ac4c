"""Which rows are drawn for a sample: that depends on their ids alone, and a larger sample holds the smaller one."""

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_SAMPLE = 400  # utterances, enough for a rate in each of some twenty steps
MAX_SHARE_OF_BUDGET = 0.25  # of the budget, at most, to find out how the rest is spent best


def draw_numbers(ids: pa.ChunkedArray | pa.Array) -> Numbers:
    """A number from 0 to 1 for each id, as if by chance."""
    drawn = (xxhash.xxh3_64_intdigest(one.to_bytes(8, "little")) for one in ids.to_pylist())
    return np.fromiter(drawn, np.uint64, len(ids)) / 2.0**64


def is_drawn(ids: pa.ChunkedArray | pa.Array, share: float) -> pa.Array:
    return pa.array(draw_numbers(ids) < share)


def sample_share(drawn: Numbers, wanted: Flags, seconds: Numbers, budget: float) -> float:
    """The largest share of which the wanted rows take no more than WORTH of a budget of so many seconds."""
    order = np.argsort(drawn)
    spent = np.cumsum(np.where(wanted, seconds, 0.0)[order])
    within = (spent <= MAX_SHARE_OF_BUDGET * budget) & (np.cumsum(wanted[order]) <= MAX_SAMPLE)
    return 1.0 if within.all() else float(drawn[order[np.argmin(within)]])
