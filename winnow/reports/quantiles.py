"""Quantiles of values that come in parts, in bounded memory."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

PRECISION = 0.01
"""Width of a bin, as a fraction of the values in it: a quantile is then off by at most half of that."""

SMALLEST = 1e-9
"""What is closer to 0 is counted as 0."""


class Quantiles:
    """Exact quantiles of up to `most` values; of more, quantiles that are off by at most 0.5 % of their value."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0
        self._exact: list[Values] = []
        self._bins: Counter[int] | None = None

    def add(self, values: Values) -> None:
        """Take more values, none of which is nan."""
        self.count += len(values)
        if self._bins is not None:
            self._bins.update(count_by_bin(values))
            return
        self._exact.append(values)
        if self.count > self.most:
            self._bins = Counter(count_by_bin(np.concatenate(self._exact)))
            self._exact = []

    def at(self, shares: Sequence[float]) -> list[float]:
        """Return the quantiles at these shares (0 to 1), between two values in proportion; there must be values."""
        if self._bins is None:
            quantiles: list[float] = np.quantile(np.concatenate(self._exact), shares).tolist()
            return quantiles
        bins = sorted(self._bins)
        ends = np.cumsum([self._bins[number] for number in bins])
        places = np.array(shares) * (self.count - 1)
        low, high = (np.searchsorted(ends, place, side="right") for place in (np.floor(places), np.ceil(places)))
        centres = np.array([centre_of(number) for number in bins])
        between: list[float] = (centres[low] + (places - np.floor(places)) * (centres[high] - centres[low])).tolist()
        return between

    @property
    def median(self) -> float | None:
        """The median; None without values."""
        return self.at([0.5])[0] if self.count else None


def count_by_bin(values: Values) -> dict[int, int]:
    """Count values by bins of equal relative width; negative ones have negative bins, 0 has bin 0."""
    sizes = np.abs(values)
    steps = np.floor(np.log(np.maximum(sizes, SMALLEST) / SMALLEST) / np.log1p(PRECISION)) + 1
    bins = np.where(sizes < SMALLEST, 0, np.sign(values) * steps).astype(np.int64)
    return dict(zip(*(array.tolist() for array in np.unique(bins, return_counts=True)), strict=True))


def centre_of(number: int) -> float:
    """Return the value in the middle of a bin, whose relative distance to both ends is the same."""
    return float(np.sign(number) * SMALLEST * (1 + PRECISION) ** (abs(number) - 0.5)) if number else 0.0
