"""Tell right references from wrong ones by the distribution of their doubt, without a label.

The doubt of all references is a mixture: of right ones, most of which have none at all and the rest ever less often the
more, and of wrong ones, whose distribution is that of planted errors. Expectation maximisation (Dempster, Laird and
Rubin 1977) finds the share of each, and with it the probability that a reference is right. What errors were planted
into wrong references counts little, so that a corpus with many of them does not raise what is promised.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from winnow.evidence.planting import ONE_WORD
from winnow.gates.sampling import Numbers

BINS = 32
HIGHEST = 200.0  # doubt: the last bin is above it
EDGES = np.concatenate([[-np.inf, 0.0], np.expm1(np.linspace(0, np.log1p(HIGHEST), BINS + 1))[1:], [np.inf]])
MISREAD = ((0.77, 1.3), (0.23, 4.3))
"""The doubt of a right reference that was misread: shares and means of two exponential distributions.

Fitted to 300 utterances in noise, read by a CTC model and by a transducer, which count alike;
`benchmarks/policies.py` does it again.
It hardly differs between models and noises, because doubt is relative to a model's own uncertainty.
"""

PRIOR = (5.0, 5.0, 0.5)
"""References read as they are, misread ones, and wrong ones of each kind that are added to those observed."""

STEPS = 300
REWEIGHTED_EVERY = 10  # steps


@dataclass(frozen=True)
class Mixture:
    """The probability that each observed reference is right, and the share (0 to 1) of right ones.

    `tail` is the distribution function's complement of right references at the upper edges of the bins.
    """

    right: Numbers
    share: float
    tail: Numbers

    def lost(self, limit: float) -> float:
        """Return the share (0 to 1) of right references with more doubt than a limit."""
        return float(np.interp(limit, EDGES[1:-1], self.tail[:-1]))


def fit_mixture(doubts: Numbers, planted: Mapping[str, tuple[NDArray[np.int64], Numbers]]) -> Mixture:
    """Fit the mixture to the observed doubts.

    `planted` has for each kind of error the indices of the rows that it was planted into, and the doubts.
    """
    observed, bins = histogram(doubts), bin_of(doubts)
    right = np.vstack([none(), sum(share * exponential(mean) for share, mean in MISREAD)])
    components = [[kind for kind in ONE_WORD if kind in planted], *([kind] for kind in planted if kind not in ONE_WORD)]
    components = [kinds for kinds in components if kinds]
    shares = np.array([0.5, 0.3, *[0.2 / max(1, len(components))] * len(components)])
    prior = np.array([*PRIOR[:2], *[PRIOR[2]] * len(components)])
    is_right = np.full(len(doubts), 0.8)
    densities = right
    for step in range(STEPS):
        if step % REWEIGHTED_EVERY == 0:
            wrong = [sum(density_of(*planted[kind], is_right) for kind in kinds) / len(kinds) for kinds in components]
            densities = np.vstack([right, *wrong]) if wrong else right
        joint = shares[:, np.newaxis] * densities
        responsible = joint / np.maximum(joint.sum(axis=0), 1e-300)
        shares = (responsible * observed).sum(axis=1) + prior
        shares /= shares.sum()
        is_right = responsible[: len(right)].sum(axis=0)[bins]
    own = shares[: len(right)]
    density = (own[:, np.newaxis] * right).sum(axis=0) / own.sum()
    return Mixture(is_right, float(own.sum()), np.maximum(1.0 - np.cumsum(density), 0.0))


def bin_of(doubts: Numbers) -> NDArray[np.int64]:
    """Return the bin of each doubt; the first is for those up to 0."""
    return np.asarray(np.clip(np.searchsorted(EDGES, doubts, side="left") - 1, 0, len(EDGES) - 2), np.int64)


def histogram(doubts: Numbers, weights: Numbers | None = None) -> Numbers:
    return np.bincount(bin_of(doubts), weights, minlength=len(EDGES) - 1).astype(np.float64)


def none() -> Numbers:
    """Return the distribution of right references that were read as they are."""
    return np.asarray(np.eye(1, len(EDGES) - 1)[0], np.float64)


def exponential(scale: float) -> Numbers:
    """Return the share of an exponential distribution in each bin."""
    below = np.exp(-np.maximum(EDGES, 0.0) / scale)
    return np.asarray(-np.diff(below), np.float64)


def density_of(rows: NDArray[np.int64], doubts: Numbers, is_right: Numbers) -> Numbers:
    """Return the distribution of planted errors, each counted by how probably its row was right without it."""
    counts = histogram(doubts, is_right[rows])
    counts += 0.5 / len(counts)  # so that no bin is impossible
    return np.asarray(counts / counts.sum(), np.float64)
