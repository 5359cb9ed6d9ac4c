"""How far models agree: with the selected hypothesis, and with each other where the reference is contradicted."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.counts import Amount
from winnow.reports.wer_distribution import weighted_median
from winnow.text.comparison import Comparison
from winnow.text.normalize import normalize
from winnow.text.respell import equal_texts

AGREEMENT_LEVELS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


CURVE_STEPS = 1000
"""Points of a curve from an agreement of 0 to 1."""


class AgreementLevel(BaseModel, frozen=True):
    """The utterances with at least this agreement, and the mean WER of those with a reference."""

    at_least: float
    utterances: int
    hours: float
    wer: float | None


class Agreement(BaseModel, frozen=True):
    """Agreement of the models with the selected hypothesis (0 to 1), over utterances that several models transcribed.

    `mean` and `median` are None if there is no such utterance. `curve` has hours by minimum agreement, the highest
    first; `alone` counts transcribed utterances that only one model transcribed.
    """

    mean: float | None
    median: float | None
    levels: list[AgreementLevel]
    curve: list[tuple[float, float]] = []
    alone: int = 0


class AgreementCounts:
    """How many utterances, and how much audio, have each agreement."""

    def __init__(self) -> None:
        self.alone = 0
        self._amounts: dict[float, Amount] = {}
        self._levels = {at_least: LevelCounts() for at_least in AGREEMENT_LEVELS}

    def add(self, rows: pa.Table) -> None:
        """Count the transcribed rows of another shard."""
        self.alone += rows["agreement"].null_count
        known = rows.select(["agreement", "duration", "wer"]).filter(pc.is_valid(rows["agreement"]))
        groups = known.group_by("agreement", use_threads=False).aggregate([("duration", "sum"), ([], "count_all")])
        for group in groups.to_pylist():
            amount = Amount(group["count_all"], group["duration_sum"] or 0.0)
            self._amounts.setdefault(group["agreement"], Amount()).merge(amount)
        for at_least, level in self._levels.items():
            level.add(known.filter(pc.greater_equal(known["agreement"], at_least)))

    @property
    def summary(self) -> Agreement:
        values = np.array(sorted(self._amounts))
        counts = np.array([self._amounts[value].utterances for value in values.tolist()], np.int64)
        return Agreement(
            mean=float(values @ counts) / int(counts.sum()) if len(values) else None,
            median=weighted_median(values, counts) if len(values) else None,
            levels=[level.summary(at_least) for at_least, level in self._levels.items()],
            curve=self.curve,
            alone=self.alone,
        )

    @property
    def curve(self) -> list[tuple[float, float]]:
        """Hours with at least each agreement, which is rounded off to the precision of a chart."""
        seconds: dict[float, float] = {}
        for value, amount in self._amounts.items():
            shown = np.floor(value * CURVE_STEPS + 1e-9) / CURVE_STEPS
            seconds[shown] = seconds.get(shown, 0.0) + amount.seconds
        values = sorted(seconds, reverse=True)
        hours = np.cumsum([seconds[value] for value in values]) / 3600
        return list(zip(values, hours.tolist(), strict=True))


class LevelCounts(Amount):
    """The utterances with at least some agreement, and their WER."""

    wer = 0.0
    compared = 0

    def add(self, rows: pa.Table) -> None:
        super().add(rows)
        self.wer += pc.sum(rows["wer"]).as_py() or 0.0
        self.compared += len(rows) - rows["wer"].null_count

    def summary(self, at_least: float) -> AgreementLevel:
        wer = self.wer / self.compared if self.compared else None
        return AgreementLevel(at_least=at_least, utterances=self.utterances, hours=self.hours, wer=wer)


def count_both_models_agree(dropped: pa.Table, comparison: Comparison) -> int:
    """Count dropped rows in which the small and the large model have the same words: the reference is likely wrong."""
    both = dropped.filter(pc.is_valid(dropped["large_pred_text"]))
    columns = (both[name].to_pylist() for name in ("small_pred_text", "large_pred_text", "language"))
    return sum(
        normalize(small, comparison.normalizer, language) != "" and equal_texts(small, large, comparison, language)
        for small, large, language in zip(*columns, strict=True)
    )
