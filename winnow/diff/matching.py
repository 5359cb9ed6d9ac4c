"""Which row of one run is which row of another: by where the audio lies, never by the line in the manifest."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from winnow.diff.rows import Indexes, RunRows


@dataclass(frozen=True)
class Matches:
    """Indexes of the rows that two runs share, pair by pair, and of the rows that only one of them has."""

    before: Indexes
    after: Indexes
    only_before: Indexes
    only_after: Indexes


def match_rows(before: RunRows, after: RunRows) -> Matches:
    """Pair rows with the same place; of several rows with one place, the first with the first, and so on."""
    both = pa.chunked_array([before.places, after.places]).combine_chunks().dictionary_encode().indices
    codes = np.asarray(both, np.int64)
    places = codes[: len(before)], codes[len(before) :]
    copies = number_copies(places[0]), number_copies(places[1])
    most = 1 + max(int(numbers.max(initial=0)) for numbers in copies)
    first, second = (place * most + number for place, number in zip(places, copies, strict=True))
    _, left, right = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    order = np.argsort(left)
    return Matches(left[order], right[order], others(left, len(before)), others(right, len(after)))


def number_copies(places: Indexes) -> Indexes:
    """Return how many rows before each row have the same place."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, bool)
    positions = np.arange(len(ordered))
    copies = np.empty_like(places)
    copies[order] = positions - np.maximum.accumulate(np.where(starts, positions, 0))
    return copies


def others(chosen: Indexes, size: int) -> Indexes:
    """Return the indexes below `size` that are not chosen."""
    rest = np.ones(size, bool)
    rest[chosen] = False
    return np.flatnonzero(rest)
