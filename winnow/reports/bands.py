"""What became of the utterances in each band of a gate, and what that cost."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.audit import wilson_interval
from winnow.reports.counts import NO_UTTERANCES, UtteranceCount, count_utterances, hours_of, rows_where
from winnow.reports.throughput import Throughput
from winnow.roles import Role, band_of

BANDS = ("accept", "escalate", "reject")


class Audit(BaseModel, frozen=True):
    """What the large model says of utterances that were believed or given up without it.

    `wrong` of the `utterances` that it read would have been dropped (of those kept in accept), or kept (in reject).
    `low` and `high` are their share in the whole band, and `hours` how much audio that is, with 95 % confidence.
    """

    utterances: int
    wrong: int
    low: float
    high: float
    hours: tuple[float, float]


class Band(BaseModel, frozen=True):
    """The utterances in one band of a gate, how many of them were kept, and what larger models did there.

    `rescued` is what the small model alone would have dropped, or without a reference labelled otherwise; `lost` what
    it alone would have kept. Seconds are those that larger models spent here, and that the large one would have spent
    on what it did not read; null where it read nothing.
    """

    utterances: int
    hours: float
    kept: int
    kept_hours: float
    rescued: UtteranceCount = NO_UTTERANCES
    lost: UtteranceCount = NO_UTTERANCES
    spent_seconds: float | None = None
    saved_seconds: float | None = None
    audit: Audit | None = None


def count_bands(rows: pa.Table, role: Role) -> dict[str, Band]:
    """Of the gate behind this model."""
    return {name: count_band(rows_where(rows, band_of(role), name)) for name in BANDS}


def count_band(rows: pa.Table) -> Band:
    kept = rows_where(rows, "decision", "keep")
    return Band(utterances=len(rows), hours=hours_of(rows), kept=len(kept), kept_hours=hours_of(kept))


def summarize_bands(heard: pa.Table, limit: float | None, speed: dict[Role, Throughput]) -> dict[str, Band]:
    """Of the gate behind the small model, with what was rescued, lost, spent and saved in each band."""
    found = {}
    for name, counts in count_bands(heard, "small").items():
        rows = rows_where(heard, "band", name)
        found[name] = counts.model_copy(
            update={
                "rescued": count_utterances(rescued_rows(rows, limit)),
                "lost": count_utterances(lost_rows(rows, limit)),
                "spent_seconds": seconds_spent(rows, speed),
                "saved_seconds": seconds_saved(rows, speed),
                "audit": summarize_audit(rows, name),
            }
        )
    return found


def rescued_rows(rows: pa.Table, limit: float | None) -> pa.Table:
    """What is kept only for the reading of a larger model."""
    kept = rows.filter(pc.and_(pc.equal(rows["decision"], "keep"), pc.not_equal(rows["model"], "small")))
    too_much = pc.greater(kept["small_wer"], float("inf") if limit is None else limit)
    otherwise = pc.less(kept["agreement"], 1.0)
    return kept.filter(pc.coalesce(too_much, otherwise, pa.scalar(False)))


def lost_rows(rows: pa.Table, limit: float | None) -> pa.Table:
    """What is dropped only for the reading of a larger model."""
    most = float("inf") if limit is None else limit
    dropped = rows.filter(pc.and_(pc.equal(rows["decision"], "drop"), pc.not_equal(rows["model"], "small")))
    only_there = pc.and_(pc.less_equal(dropped["small_wer"], most), pc.greater(dropped["wer"], most))
    return dropped.filter(pc.fill_null(only_there, False))


def seconds_spent(rows: pa.Table, speed: dict[Role, Throughput]) -> float | None:
    """Seconds of devices that larger models took for these rows, at the rate at which each read all of its own."""
    rates = {role: one.seconds / one.hours for role, one in speed.items() if role != "small" and one.hours}
    read = {role: rows.filter(pc.is_valid(rows[f"{role}_pred_text"])) for role in rates}
    return sum(rate * hours_of(read[role]) for role, rate in rates.items()) if rates else None


def seconds_saved(rows: pa.Table, speed: dict[Role, Throughput]) -> float | None:
    """Seconds that the large model would have taken for what it did not read of these rows."""
    if "large" not in speed or not speed["large"].rtfx:
        return None
    return hours_of(rows.filter(pc.is_null(rows["large_pred_text"]))) * 3600 / speed["large"].rtfx


def summarize_audit(rows: pa.Table, name: str) -> Audit | None:
    """What the large model would have decided otherwise, of what is kept in accept or given up in reject."""
    at_stake = rows_where(rows, "decision", "keep") if name == "accept" else rows
    if name == "escalate" or not len(at_stake):
        return None
    opinions = at_stake["large_keeps"].drop_null().to_pylist()
    wrong = sum(keeps != (name == "accept") for keeps in opinions)
    low, high = wilson_interval(wrong, len(opinions))
    return Audit(
        utterances=len(opinions),
        wrong=wrong,
        low=low,
        high=high,
        hours=(low * hours_of(at_stake), high * hours_of(at_stake)),
    )
