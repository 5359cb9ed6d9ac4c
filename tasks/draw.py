"""Which rows are drawn for a sample: that depends on their ids alone, and a larger sample holds the smaller one."""

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from tasks.spending import Numbers

MOST = 400  # utterances, enough for a rate in each of some twenty steps
WORTH = 0.25  # of the budget, at most, to find out how the rest is spent best


def lots(ids: pa.ChunkedArray | pa.Array) -> Numbers:
    """A number from 0 to 1 for each id, as if by chance."""
    drawn = (xxhash.xxh3_64_intdigest(one.to_bytes(8, "little")) for one in ids.to_pylist())
    return np.fromiter(drawn, np.uint64, len(ids)) / 2.0**64


def drawn(ids: pa.ChunkedArray | pa.Array, share: float) -> pa.Array:
    return pa.array(lots(ids) < share)


def sample_share(ids: pa.ChunkedArray, seconds: NDArray[np.float64], budget: float) -> float:
    """The largest share whose rows take no more than WORTH of the budget, which is a share of all seconds."""
    order = np.argsort(found := lots(ids))
    spent = np.cumsum(seconds[order])
    most = min(MOST, int(np.searchsorted(spent, WORTH * budget * seconds.sum(), side="right")))
    return float(found[order[most]]) if most < len(order) else 1.0
