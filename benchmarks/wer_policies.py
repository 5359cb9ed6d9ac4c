"""Policies that judge references by WER: what each keeps, and which utterances the large model transcribes for that.

Limits are chosen on the utterances with even numbers (by F1, then by cost), and the figures are those of the others. A
budget is for all utterances, since its gate knows the hypotheses but not what was said.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.scored_corpora import ScoredCorpus
from winnow.gates.budget import BudgetRows, best_band
from winnow.gates.sampling import Flags, Numbers, draw_numbers, sample_share
from winnow.parameters.gate import GATE_PRESETS
from winnow.text.metrics import word_error_rate
from winnow.text.respell import normalize_pair
from winnow.text.rover import VoteWeights, rover

LIMIT = 0.25
AUDIT = 0.005
LIMITS = (0.05, 0.1, 0.15, 0.2, LIMIT, 0.3, 0.35, 0.4, 0.5)
REJECTS = (0.5, 0.8, 1.05, 1.5)


@dataclass(frozen=True)
class WordErrors:
    """The number, seconds and WERs of each utterance, and whether its reference is what was said."""

    ids: Numbers
    seconds: Numbers
    good: Flags
    small: Numbers
    large: Numbers
    voted: Numbers

    def only(self, rows: Flags) -> "WordErrors":
        """Return some of the utterances."""
        return WordErrors(*(getattr(self, field.name)[rows] for field in fields(self)))


Policy = Callable[..., tuple[Flags, Flags]]
"""Takes the error rates and limits; returns what is kept and what the large model transcribes."""


def single_model(name: str) -> Policy:
    """Keep utterances by one model's hypothesis of everything."""
    return lambda rows, limit: (getattr(rows, name) <= limit, np.full(len(rows.ids), name != "small"))


def guide(rows: WordErrors, limit: float) -> tuple[Flags, Flags]:
    transcribed = rows.small <= GATE_PRESETS["guide"].reject
    return transcribed & (rows.large <= limit), transcribed


def bands(rows: WordErrors, accept: float, reject: float, limit: float) -> tuple[Flags, Flags]:
    transcribed = (rows.small > accept) & (rows.small <= reject)
    return np.where(transcribed, rows.large <= limit, rows.small <= min(accept, limit)), transcribed


def budget(share: float) -> Policy:
    def spend(rows: WordErrors, limit: float) -> tuple[Flags, Flags]:
        drawn, seconds = draw_numbers(pa.array(rows.ids.astype(int))), share * float(rows.seconds.sum())
        wanted = (rows.small > limit) | (drawn < AUDIT)
        sampled = wanted & (drawn < sample_share(drawn, wanted, rows.seconds, seconds))
        rescued = sampled & (rows.small > limit) & (rows.large <= limit)
        band = best_band(BudgetRows(rows.small, rows.seconds, sampled, rescued), limit, seconds, limit)
        kept, transcribed = bands(rows, *band, limit)
        return kept, transcribed | sampled

    return spend


POLICIES: dict[str, tuple[Policy, list[tuple[float, ...]]]] = {
    "small only": (single_model("small"), [(limit,) for limit in LIMITS]),
    "large only": (single_model("large"), [(limit,) for limit in LIMITS]),
    "the guide's cascade": (guide, [(limit,) for limit in LIMITS]),
    "bands, by default": (bands, [(GATE_PRESETS["bands"].accept, GATE_PRESETS["bands"].reject, LIMIT)]),
    "bands, chosen": (bands, [(a, r, t) for a, r, t in product(LIMITS, REJECTS, LIMITS) if a <= t]),
    "budget of 20%": (budget(0.2), [(limit,) for limit in LIMITS]),
    "budget of 40%": (budget(0.4), [(limit,) for limit in LIMITS]),
    "ROVER of both": (single_model("voted"), [(limit,) for limit in LIMITS]),
}


@dataclass(frozen=True)
class Figures:
    """What a policy keeps of a corpus whose wrong references are known, and what it costs."""

    precision: float
    recall: float
    bad_kept: int
    bad: int
    cost: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def row(self) -> dict[str, Any]:
        """Return the figures by name."""
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return rates | {"bad_kept": self.bad_kept, "bad": self.bad, "cost": self.cost}


def figures(seconds: Numbers, good: Flags, kept: Flags, transcribed: Flags) -> Figures:
    right = int((kept & good).sum())
    return Figures(
        precision=right / max(int(kept.sum()), 1),
        recall=right / int(good.sum()),
        bad_kept=int((kept & ~good).sum()),
        bad=int((~good).sum()),
        cost=float(seconds[transcribed].sum() / seconds.sum()),
    )


def measure_policy(policy: Policy, limits: tuple[float, ...], rows: WordErrors, some: Flags) -> Figures:
    kept, transcribed = policy(rows, *limits)
    return figures(rows.seconds[some], rows.good[some], kept[some], transcribed[some])


def choose_limits(policy: Policy, choices: list[tuple[float, ...]], rows: WordErrors, some: Flags) -> tuple[float, ...]:
    """Return the limits with the highest F1; of equals the cheapest, then those closest to the defaults."""

    def worth(limits: tuple[float, ...]) -> tuple[float, float, float]:
        outcome = measure_policy(policy, limits, rows, some)
        return round(outcome.f1, 6), -round(outcome.cost, 6), -sum(abs(limit - LIMIT) for limit in limits)

    return max(choices, key=worth)


def word_errors(corpus: ScoredCorpus) -> WordErrors:
    """Return the error rates of both models' hypotheses, and of ROVER's of both."""
    hypotheses = zip(*corpus.hypotheses.values(), strict=True)
    voted = [rover(list(row), "basic", VoteWeights()).text for row in hypotheses]
    pairs = zip(corpus.references["text"].to_pylist(), voted, strict=True)
    return WordErrors(
        ids=corpus.references["id"].to_numpy().astype(float),
        seconds=corpus.references["duration"].to_numpy(),
        good=corpus.good,
        small=corpus.references["small_wer"].to_numpy(),
        large=corpus.references["large_wer"].to_numpy(),
        voted=np.array([word_error_rate(*normalize_pair(*pair, "basic", None)) for pair in pairs], float),
    )


def compare_by_wer(corpus: ScoredCorpus) -> Iterator[dict[str, Any]]:
    """Yield a row for each policy."""
    rows = word_errors(corpus)
    even = rows.ids % 2 == 0
    for name, (policy, choices) in POLICIES.items():
        limits = choose_limits(policy, choices, rows, even)
        shown = " / ".join(f"{limit:g}" for limit in limits)
        outcome = measure_policy(policy, limits, rows, ~even)
        yield {"corpus": corpus.name, "policy": name, "limits": shown} | outcome.row()
