"""The distribution of word error rates over utterances."""

from collections import Counter
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from winnow.reports.counts import rows_where
from winnow.roles import Role

EDIT_COUNTS = ("hits", "substitutions", "deletions", "insertions")

WER_LEVELS = {"excellent": 0.10, "good": 0.25, "fair": 0.50, "poor": float("inf")}
"""The highest WER of each level."""


class WerDistribution(BaseModel, frozen=True):
    """WER as fractions, and the number of utterances in each of `WER_LEVELS`.

    `corpus` is all errors over all reference words (micro average), `mean` the average over utterances (macro average)
    and `capped` that average with each WER limited to 1. Figures are None if nothing has a reference.
    """

    utterances: int
    corpus: float | None
    mean: float | None
    capped: float | None
    median: float | None
    std: float | None
    levels: dict[str, int]


class WerCounts:
    """How many utterances have each WER, and their edits: of this model's hypotheses, by default of the selected ones.

    WERs are fractions of small numbers, so that there are few different ones however many rows a run has.
    """

    def __init__(self, role: Role | None = None) -> None:
        self.role = role
        self._rates: Counter[float] = Counter()
        self._edits = dict.fromkeys(EDIT_COUNTS, 0)

    def add(self, rows: pa.Table) -> Self:
        """Count these rows as well."""
        rates = rows[f"{self.role}_wer" if self.role else "wer"].drop_null().to_numpy()
        different, counts = np.unique(rates, return_counts=True)
        self._rates.update(dict(zip(different.tolist(), counts.tolist(), strict=True)))
        for name, count in count_edits(rows, self.role).items():
            self._edits[name] += count
        return self

    def merge(self, other: "WerCounts") -> None:
        """Add what another one has counted."""
        self._rates.update(other._rates)
        for name, count in other._edits.items():
            self._edits[name] += count

    @property
    def distribution(self) -> WerDistribution:
        rates = np.array(sorted(self._rates))
        counts = np.array([self._rates[rate] for rate in rates.tolist()], np.int64)
        total = int(counts.sum())
        level = np.searchsorted(list(WER_LEVELS.values()), rates, side="left")
        levels = np.bincount(level, counts, minlength=len(WER_LEVELS))
        mean = float(rates @ counts) / total if total else 0.0
        figures = {
            "mean": mean,
            "capped": float(np.minimum(rates, 1) @ counts) / max(total, 1),
            "median": weighted_median(rates, counts) if total else None,
            "std": float(np.sqrt((rates - mean) ** 2 @ counts / max(total, 1))),
        }
        return WerDistribution(
            utterances=total,
            corpus=self.corpus_wer,
            **(figures if total else dict.fromkeys(figures)),
            levels={name: int(count) for name, count in zip(WER_LEVELS, levels, strict=True)},
        )

    @property
    def corpus_wer(self) -> float | None:
        """All errors over all words of the references; None if there are no words."""
        hits, substitutions, deletions, insertions = (self._edits[name] for name in EDIT_COUNTS)
        words = hits + substitutions + deletions
        return (substitutions + deletions + insertions) / words if words else None


def count_edits(rows: pa.Table, role: Role | None) -> dict[str, int]:
    """Return the sum of each kind of edit of a model's hypotheses, by default of the selected ones."""
    roles = [role] if role else pc.unique(rows["model"].drop_null()).to_pylist()
    parts = {name: rows if role else rows_where(rows, "model", name) for name in roles}
    return {
        edit: sum(int(pc.sum(part[f"{name}_{edit}"], min_count=0).as_py()) for name, part in parts.items())
        for edit in EDIT_COUNTS
    }


def weighted_median(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """Return the median of sorted values, each of which occurs so often."""
    ends = np.cumsum(counts)
    middle = [int(np.searchsorted(ends, place, side="right")) for place in ((ends[-1] - 1) // 2, ends[-1] // 2)]
    return float(values[middle].mean())
