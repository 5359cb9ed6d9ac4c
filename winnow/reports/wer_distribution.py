"""The distribution of word error rates over utterances."""

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


def wer_distribution(rows: pa.Table, role: Role | None = None) -> WerDistribution:
    """Summarize the WER of this model's hypotheses, by default of the selected ones."""
    rates: NDArray[np.float64] = rows[f"{role}_wer" if role else "wer"].drop_null().to_numpy()
    level = np.searchsorted(list(WER_LEVELS.values()), rates, side="left")
    counts = np.bincount(level, minlength=len(WER_LEVELS))
    return WerDistribution(
        utterances=len(rates),
        corpus=corpus_wer(rows, role),
        mean=float(rates.mean()) if len(rates) else None,
        capped=float(np.minimum(rates, 1).mean()) if len(rates) else None,
        median=float(np.median(rates)) if len(rates) else None,
        std=float(rates.std()) if len(rates) else None,
        levels={name: int(count) for name, count in zip(WER_LEVELS, counts, strict=True)},
    )


def corpus_wer(rows: pa.Table, role: Role | None = None) -> float | None:
    """Return all errors over all words of the references; None if there are no words."""
    roles = [role] if role else pc.unique(rows["model"].drop_null()).to_pylist()
    parts = {name: rows if role else rows_where(rows, "model", name) for name in roles}
    hits, substitutions, deletions, insertions = (
        sum(int(pc.sum(part[f"{name}_{edit}"], min_count=0).as_py()) for name, part in parts.items())
        for edit in EDIT_COUNTS
    )
    words = hits + substitutions + deletions
    return (substitutions + deletions + insertions) / words if words else None
