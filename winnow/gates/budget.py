"""How a budget for the large model is spent: on the band of readings where it rescues most, as a sample shows."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnow.gates.criteria import Gates, assign_bands, gates_for_small
from winnow.gates.sampling import Flags, Numbers, draw_numbers, sample_share
from winnow.parameters.curation import Curation
from winnow.parameters.gate import Bands
from winnow.schema import after_sample, append_columns
from winnow.text.metrics import compare_texts
from winnow.text.normalize import normalize

STEPS = 20
PRIOR = 1.0  # a reading's worth of the mean rate, in each step: one with few samples is much like the others


@dataclass(frozen=True)
class BudgetRows:
    """Rows by what the gate compares (the lower the better), their seconds, which of them were read as a sample, and
    which of those the large model rescued."""

    values: Numbers
    seconds: Numbers
    sampled: Flags
    rescued: Flags


def best_band(rows: BudgetRows, accept: float, budget: float, believed: float) -> Bands:
    """The band above `accept` that rescues most of the audio for so many seconds, the sample's among them.

    It begins and ends at steps of about equal audio, so that rows with the same value are on the same side. What the
    sample read inside it is not read again. A step's rate is that of its sample and of half of its neighbours'.
    Values up to `believed` are good enough without the large model, and are not given up; where nothing is worth it,
    or nothing can be afforded, the small model decides.
    """
    if not len(rows.values):
        return Bands(None, None)
    limits = band_edges(rows, accept)
    step = np.searchsorted(limits, rows.values, side="left") - 1  # step i: limits[i] < value <= limits[i + 1]
    inside = step >= 0
    count = len(limits) - 1

    def total(weights: Numbers | Flags, which: Flags = inside) -> Numbers:
        found: Numbers = np.bincount(step[which], weights[which].astype(float), minlength=count).astype(float)
        return found

    sampled = inside & rows.sampled
    mean = rows.rescued[sampled].mean() if sampled.any() else 0.0
    rate = (smooth(total(rows.rescued, sampled)) + PRIOR * mean) / (smooth(total(rows.sampled)) + PRIOR)
    cost = total(np.where(rows.sampled, 0.0, rows.seconds))
    worth = rate * total(rows.seconds)
    left = budget - rows.seconds[rows.sampled].sum()
    ends = [j for j in range(1, count + 1) if j == count or limits[j] >= believed]
    spans = [(i, j) for j in ends for i in range(j) if cost[i:j].sum() <= left]
    if not spans or not mean:
        return Bands(believed, believed)
    begin, end = max(spans, key=lambda span: (worth[slice(*span)].sum(), -cost[slice(*span)].sum()))
    return Bands(float(limits[begin]), float(limits[end]))


def smooth(steps: Numbers) -> Numbers:
    """Each step with half of its neighbours."""
    padded = np.pad(steps, 1)
    found: Numbers = steps + (padded[:-2] + padded[2:]) / 2
    return found


def band_edges(rows: BudgetRows, accept: float) -> Numbers:
    """Where a band may begin and end: `accept`, and values above it that part the audio into some twenty steps."""
    above = rows.values > accept
    order = np.argsort(values := rows.values[above])
    spent = np.cumsum(rows.seconds[above][order])
    if not len(spent):
        return np.array([accept])
    at = np.searchsorted(spent, spent[-1] * np.arange(1, STEPS + 1) / STEPS * (1 - 1e-12))
    return np.unique([accept, *values[order][np.minimum(at, len(order) - 1)]])


BUDGET = 0.4


NO_DOUBT = -1.0  # less than there is: nothing is believed unless it lies below the band


NEEDED = ("id", "reason", "duration", "small_wer", "small_confidence", "small_pred_text")
"""What is needed of every row to spend a budget."""


TEXTS = ("text", "small_pred_text", "large_pred_text")


def sample(scored: pa.Table, share: float, gates: Gates) -> pa.Table:
    """Add `audit`: which rows the large model reads before there are bands, to measure what it rescues.

    They are a share of what these gates do not accept, and of what they accept as much as is audited anyway.
    """
    return append_columns(scored, after_sample(scored.schema), {"audit": pa.array(sampled(scored, share, gates))})


def sampled(scored: pa.Table, share: float, gates: Gates) -> Flags:
    drawn = draw_numbers(scored["id"])
    return is_transcribed(scored) & is_candidate(scored, drawn, gates) & (drawn < share)


def is_candidate(scored: pa.Table, drawn: Numbers, gates: Gates) -> Flags:
    accepted = np.asarray(pc.equal(assign_bands(scored, "small", gates), "accept"), bool)
    return np.asarray(~accepted | (drawn < gates.audit), bool)


def is_transcribed(rows: pa.Table) -> Flags:
    return np.asarray(pc.and_(pc.is_null(rows["reason"]), pc.is_valid(rows["small_pred_text"])), bool)


def share_to_sample(shards: Iterable[pa.Table], settings: Curation) -> float:
    """How large a sample the budget allows."""
    gates = gates_for_small(settings)

    def part(rows: pa.Table) -> tuple[Numbers, Flags, Numbers]:
        rows = rows.filter(pa.array(is_transcribed(rows)))
        drawn = draw_numbers(rows["id"])
        return drawn, is_candidate(rows, drawn, gates), to_floats(rows["duration"])

    drawn, mine, seconds = map(np.concatenate, zip(*map(part, shards), strict=True))
    return sample_share(drawn, mine, seconds, budget_share(settings) * float(seconds.sum()))


@dataclass(frozen=True)
class SmallModelRows:
    """What the small model has read, without the texts: its WER (nan without a reference) and its doubt, the seconds of
    each row, which of them the large model read as a sample, and which of those it rescued."""

    wer: Numbers
    doubt: Numbers
    seconds: Numbers
    sampled: Flags
    rescued: Flags

    def bands(self, mine: Flags, values: Numbers, settings: Curation, accept: float, believed: float) -> Bands:
        """The band of these rows that rescues most for their share of the budget."""
        rows = BudgetRows(values[mine], self.seconds[mine], self.sampled[mine], self.rescued[mine])
        found = best_band(rows, accept, budget_share(settings) * float(self.seconds[mine].sum()), believed)
        return found if found.accept != NO_DOUBT else Bands(None, found.reject)


def summarize_rows(rows: pa.Table, settings: Curation, share: float) -> SmallModelRows:
    rows = rows.filter(pa.array(is_transcribed(rows)))
    sample = sampled(rows, share, gates_for_small(settings))
    rescued = np.zeros(len(rows), bool)
    rescued[sample] = rescues(rows.filter(pa.array(sample)), settings)
    doubt = 1 - np.nan_to_num(to_floats(rows["small_confidence"]), nan=0.0)
    return SmallModelRows(to_floats(rows["small_wer"]), doubt, to_floats(rows["duration"]), sample, rescued)


def choose_bands(shards: Iterable[pa.Table], settings: Curation, share: float) -> Gates:
    """The gates that rescue most for the budget, as the rows show that the large model has read as a sample."""
    gates, limit = gates_for_small(settings), settings.filter.wer_limit
    parts = [summarize_rows(shard, settings, share) for shard in shards]
    rows = SmallModelRows(
        **{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(SmallModelRows)}
    )
    by_wer = np.isfinite(rows.wer) & (settings.gate.by != "confidence")
    kept = float(rows.wer[by_wer].max(initial=0.0)) if limit is None else limit
    wers = rows.bands(by_wer, rows.wer, settings, gates.wer.accept or 0.0, kept)
    doubts = rows.bands(~by_wer, rows.doubt, settings, NO_DOUBT, 1.0)  # whatever its confidence
    return gates.model_copy(update={"wer": wers, "doubt": doubts})


def rescues(sample: pa.Table, settings: Curation) -> list[bool]:
    """Which rows the large model rescues: good enough only as it reads them, or without a reference read otherwise."""
    limit = settings.filter.wer_limit
    found = []
    for row in sample.select(list(TEXTS)).to_pylist():
        text, small, large = (normalize(one or "", settings.normalizer) for one in row.values())
        errors = [compare_texts(text, one) for one in (small, large)]
        if row["large_pred_text"] is None:
            found.append(False)
        elif errors[0] is None or errors[1] is None:
            found.append(small != large)
        else:
            found.append(limit is not None and errors[1].wer <= limit < errors[0].wer)
    return found


def to_floats(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.to_numpy(), np.float64)


def budget_share(settings: Curation) -> float:
    return BUDGET if settings.gate.budget is None else settings.gate.budget
