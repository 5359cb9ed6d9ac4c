"""How the share of hours kept, the word error rate and the doubt of slices differ, with 95 % confidence intervals."""

from collections.abc import Iterator
from math import hypot, sqrt
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.diff.rows import DECISIONS, KEEP, QUARANTINE, Indexes, Numbers, RunRows
from winnow.gates.sampling import Z_95
from winnow.reports.slice_fields import FEWEST_UTTERANCES

EVERYTHING = "all"

Measure = Literal["kept", "wer", "doubt"]


class Shift(BaseModel, frozen=True):
    """How a measure of a slice differs: `change` is after less before, with its 95 % confidence interval.

    `kept` is the share of the utterances that were kept, `wer` that of all words which the selected hypotheses have
    wrong, `doubt` the mean of the doubts, capped at 20.
    """

    slice: str
    value: str
    measure: Measure
    rows: int
    before: float
    after: float
    low: float
    high: float

    @property
    def change(self) -> float:
        return self.after - self.before

    @property
    def is_certain(self) -> bool:
        """Whether the interval excludes that nothing changed."""
        return not self.low <= 0 <= self.high

    @property
    def weight(self) -> float:
        """How far the change stands out, in standard errors."""
        return abs(self.change) / max((self.high - self.low) / (2 * Z_95), 1e-9)


def find_shifts(before: RunRows, after: RunRows, pairs: tuple[Indexes, Indexes] | None) -> list[Shift]:
    """Return the shifts of all utterances, then those of slices, the ones that stand out first.

    With `pairs`, indexes of the rows that both runs have, only these are compared, row by row; otherwise all rows of
    each run, as independent samples.
    """
    shifts = [
        shift
        for name, value, chosen in slices(before, after, pairs)
        for measure in ("kept", "wer", "doubt")
        if (shift := find_shift(name, value, measure, before, after, chosen, paired=pairs is not None))
    ]
    whole = [shift for shift in shifts if shift.slice == EVERYTHING]
    return whole + sorted((s for s in shifts if s.slice != EVERYTHING), key=lambda s: (-s.weight, s.slice, s.value))


def slices(
    before: RunRows, after: RunRows, pairs: tuple[Indexes, Indexes] | None
) -> Iterator[tuple[str, str, tuple[Indexes, Indexes]]]:
    """Yield every slice with the indexes of its rows in each run; of pairs, those whose later row is in the slice."""
    first, second = pairs or (np.arange(len(before)), np.arange(len(after)))
    yield EVERYTHING, "", (first, second)
    for name in sorted(before.slices.keys() & after.slices.keys()):
        here, there = before.slices[name], after.slices[name]
        for value in sorted(set(pc.unique(there).to_pylist())):
            inside = second[is_value(there, value)[second]]
            if pairs:
                yield name, value, (first[is_value(there, value)[second]], inside)
            else:
                yield name, value, (first[is_value(here, value)[first]], inside)


def is_value(column: pa.Array, value: str) -> np.ndarray:
    return np.asarray(pc.equal(column, value))


def find_shift(
    name: str,
    value: str,
    measure: Measure,
    before: RunRows,
    after: RunRows,
    chosen: tuple[Indexes, Indexes],
    paired: bool,
) -> Shift | None:
    """Compare a measure of the chosen rows; None if fewer than ten rows of a run have it."""
    parts = [fraction(rows, measure)[:, indexes] for rows, indexes in zip((before, after), chosen, strict=True)]
    known = [~np.isnan(part).any(axis=0) for part in parts]
    if paired:
        known = [known[0] & known[1]] * 2
    parts = [part[:, flags] for part, flags in zip(parts, known, strict=True)]
    if min(part.shape[1] for part in parts) < FEWEST_UTTERANCES or not all(part[1].sum() for part in parts):
        return None
    rates = [float(part[0].sum() / part[1].sum()) for part in parts]
    residuals = [(part[0] - rate * part[1]) / part[1].mean() for part, rate in zip(parts, rates, strict=True)]
    spread = standard_error(residuals[1] - residuals[0]) if paired else hypot(*map(standard_error, residuals))
    change = rates[1] - rates[0]
    return Shift(
        slice=name,
        value=value,
        measure=measure,
        rows=parts[1].shape[1],
        before=rates[0],
        after=rates[1],
        low=change - Z_95 * spread,
        high=change + Z_95 * spread,
    )


def fraction(rows: RunRows, measure: Measure) -> Numbers:
    """Return numerators and denominators whose sums a measure is the ratio of, shape (2, rows); nan where unknown."""
    if measure == "wer":
        return np.stack([rows.errors, rows.words])
    if measure == "doubt":
        return np.stack([rows.doubts, np.ones(len(rows))])
    judged = rows.decisions != DECISIONS.index(QUARANTINE)
    kept = np.where(judged, rows.decisions == DECISIONS.index(KEEP), np.nan)
    return np.stack([kept, np.ones(len(rows))])


def standard_error(residuals: Numbers) -> float:
    """Return the standard error of a ratio by its linearisation (Cochran, Sampling Techniques, 1977, section 6.3)."""
    return float(residuals.std(ddof=1)) / sqrt(len(residuals))
