"""In which order rows are reviewed: by what a decision about them is worth, with a random sample among them.

First come dropped rows with a proposal, which most probably repair a reference; then, alternately, what was kept with
the highest doubt and dropped with the lowest, which are nearest to being decided otherwise. Every fifth row is one of a
random sample of the kept and the dropped rows, from which the share of right decisions is estimated.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

CONTROL_EVERY = 5
"""Of so many rows of the queue, one is of the random sample."""

MOST_CONTROLS = 1_000
"""Rows of the random sample with each decision, which estimate a share to 3 percentage points."""

Indexes = NDArray[np.int64]


@dataclass(frozen=True)
class Queue:
    """The order of a review, and the indexes of the random samples of kept and of dropped rows, in their order."""

    order: Indexes
    controls: dict[str, Indexes]


def review_queue(rows: pa.Table, seed: int) -> Queue:
    """Order rows with the columns decision, doubt, wer, proposal and proposal_margin; quarantined ones come last."""
    kept, dropped, others = (
        np.flatnonzero(pc.equal(rows["decision"], name)) for name in ("keep", "drop", "quarantine")
    )
    generator = np.random.default_rng(seed)
    controls = {name: generator.permutation(own)[:MOST_CONTROLS] for name, own in (("keep", kept), ("drop", dropped))}
    worth = by_worth(rows, kept, dropped)
    positions = np.full(len(rows), np.inf)
    places = np.arange(len(worth))
    positions[worth] = places + places // (CONTROL_EVERY - 1)
    sample = alternate(controls["keep"], controls["drop"])
    turns = CONTROL_EVERY * np.arange(1, len(sample) + 1) - 1.5  # before what would have the same place
    positions[sample] = np.minimum(positions[sample], turns)
    positions[others] = 2 * len(rows) + np.arange(len(others))
    return Queue(np.argsort(positions, kind="stable"), controls)


def by_worth(rows: pa.Table, kept: Indexes, dropped: Indexes) -> Indexes:
    """Return the kept and the dropped rows by what a decision is worth."""
    doubts = np.asarray(pc.fill_null(pc.coalesce(rows["doubt"], rows["wer"]), 0.0), np.float64)
    proposed = np.asarray(pc.is_valid(rows["proposal"]), bool)[dropped]
    margins = np.asarray(pc.fill_null(rows["proposal_margin"], 0.0), np.float64)
    first, rest = dropped[proposed], dropped[~proposed]
    first = first[np.argsort(-margins[first], kind="stable")]
    doubtful = kept[np.argsort(-doubts[kept], kind="stable")]
    return np.concatenate([first, alternate(doubtful, rest[np.argsort(doubts[rest], kind="stable")])])


def alternate(some: Indexes, others: Indexes) -> Indexes:
    """Take one of each in turn, and then what is left of the longer."""
    ranks = np.concatenate([2 * np.arange(len(some)), 2 * np.arange(len(others)) + 1])
    return np.concatenate([some, others])[np.argsort(ranks, kind="stable")].astype(np.int64)
