"""How many of a run's decisions are right, estimated from the random sample that people reviewed."""

from collections.abc import Mapping
from itertools import takewhile

from pydantic import BaseModel

from winnow.gates.sampling import wilson_interval
from winnow.review.ordering import Indexes

RIGHT = {"keep": ("keep",), "drop": ("drop", "edit")}
"""The verdicts by which a decision of the run was right: a reference was dropped rightly if it needed another text."""


class Estimate(BaseModel, frozen=True):
    """Of so many reviewed rows of the sample, how many were decided rightly; the share, and its 95% interval."""

    reviewed: int
    right: int
    share: float | None
    low: float
    high: float


def estimate(decision: str, sample: Indexes, verdicts: Mapping[int, str]) -> Estimate:
    """Estimate the share of right decisions among rows with this decision.

    `verdicts` are those on rows by their indexes. The sample counts up to the first row that no one decided: which ones
    people pick after that may depend on the rows.
    """
    said = [verdicts[row] for row in takewhile(verdicts.__contains__, sample.tolist())]
    right = sum(verdict in RIGHT[decision] for verdict in said)
    low, high = wilson_interval(right, len(said)) if said else (0.0, 1.0)
    share = right / len(said) if said else None
    return Estimate(reviewed=len(said), right=right, share=share, low=low, high=high)
