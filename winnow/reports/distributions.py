"""How many utterances have which WER and which doubt, in bins that charts draw."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

WER_EDGES = [step / 20 for step in range(32)]
"""Limits of bins, as fractions; the last bin has everything above 150 %."""

DOUBT_EDGES = [0.0, *(round(10 ** (step / 4), 4) for step in range(-8, 13))]
"""Limits of bins: four for each power of ten from 0.01 to 1,000; the first and last have everything beyond."""


class Histogram(BaseModel, frozen=True):
    """Utterances of each series by bin: bin i reaches from `edges[i]` up to, but without, `edges[i + 1]`.

    Values beyond the edges are in the first or the last bin.
    """

    edges: list[float]
    counts: dict[str, list[int]]


class HistogramCounts:
    """Values of columns by bin, by the names of their series; columns that are absent or all null are left out."""

    def __init__(self, columns: dict[str, str], edges: list[float]) -> None:
        self.columns, self.edges = columns, edges
        self._counts: dict[str, NDArray[np.int64]] = {}

    def add(self, rows: pa.Table) -> None:
        """Count the rows of another shard."""
        for name, column in self.columns.items():
            if column in rows.schema.names and len(values := rows[column].drop_null()):
                counts = np.array(count_bins(values.to_numpy(), self.edges), np.int64)
                self._counts[name] = self._counts.get(name, np.zeros_like(counts)) + counts

    @property
    def histogram(self) -> Histogram:
        counts = {name: self._counts[name].tolist() for name in self.columns if name in self._counts}
        return Histogram(edges=self.edges, counts=counts)


def count_bins(values: NDArray[np.float64], edges: list[float]) -> list[int]:
    bins = np.searchsorted(edges, values, side="right") - 1
    counted: list[int] = np.bincount(np.clip(bins, 0, len(edges) - 2), minlength=len(edges) - 1).tolist()
    return counted
