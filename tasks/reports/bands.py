"""What became of the utterances in each band of a gate, and what that cost."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from tasks.reports.audit import interval
from tasks.reports.shares import NONE, Share, hours, only, share
from tasks.reports.speeds import Speed
from tasks.schema import Role, band_of

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
    rescued: Share = NONE
    lost: Share = NONE
    spent_seconds: float | None = None
    saved_seconds: float | None = None
    audit: Audit | None = None


def counted(rows: pa.Table, role: Role) -> dict[str, Band]:
    """Of the gate behind this model."""
    return {name: band(only(rows, band_of(role), name)) for name in BANDS}


def band(rows: pa.Table) -> Band:
    kept = only(rows, "decision", "keep")
    return Band(utterances=len(rows), hours=hours(rows), kept=len(kept), kept_hours=hours(kept))


def weighed(heard: pa.Table, limit: float | None, speed: dict[Role, Speed]) -> dict[str, Band]:
    """Of the gate behind the small model, with what was rescued, lost, spent and saved in each band."""
    found = {}
    for name, counts in counted(heard, "small").items():
        rows = only(heard, "band", name)
        found[name] = counts.model_copy(
            update={
                "rescued": share(rescued(rows, limit)),
                "lost": share(lost(rows, limit)),
                "spent_seconds": spent(rows, speed),
                "saved_seconds": saved(rows, speed),
                "audit": audit(rows, name),
            }
        )
    return found


def rescued(rows: pa.Table, limit: float | None) -> pa.Table:
    """What is kept only for the reading of a larger model."""
    kept = rows.filter(pc.and_(pc.equal(rows["decision"], "keep"), pc.not_equal(rows["model"], "small")))
    too_much = pc.greater(kept["small_wer"], float("inf") if limit is None else limit)
    otherwise = pc.less(kept["agreement"], 1.0)
    return kept.filter(pc.coalesce(too_much, otherwise, pa.scalar(False)))


def lost(rows: pa.Table, limit: float | None) -> pa.Table:
    """What is dropped only for the reading of a larger model."""
    most = float("inf") if limit is None else limit
    dropped = rows.filter(pc.and_(pc.equal(rows["decision"], "drop"), pc.not_equal(rows["model"], "small")))
    only_there = pc.and_(pc.less_equal(dropped["small_wer"], most), pc.greater(dropped["wer"], most))
    return dropped.filter(pc.fill_null(only_there, False))


def spent(rows: pa.Table, speed: dict[Role, Speed]) -> float | None:
    """Seconds of devices that larger models took for these rows, at the rate at which each read all of its own."""
    rates = {role: one.seconds / one.hours for role, one in speed.items() if role != "small" and one.hours}
    read = {role: rows.filter(pc.is_valid(rows[f"{role}_pred_text"])) for role in rates}
    return sum(rate * hours(read[role]) for role, rate in rates.items()) if rates else None


def saved(rows: pa.Table, speed: dict[Role, Speed]) -> float | None:
    """Seconds that the large model would have taken for what it did not read of these rows."""
    if "large" not in speed or not speed["large"].x_real_time:
        return None
    return hours(rows.filter(pc.is_null(rows["large_pred_text"]))) * 3600 / speed["large"].x_real_time


def audit(rows: pa.Table, name: str) -> Audit | None:
    """What the large model would have decided otherwise, of what is kept in accept or given up in reject."""
    at_stake = only(rows, "decision", "keep") if name == "accept" else rows
    if name == "escalate" or not len(at_stake):
        return None
    opinions = at_stake["large_keeps"].drop_null().to_pylist()
    wrong = sum(keeps != (name == "accept") for keeps in opinions)
    low, high = interval(wrong, len(opinions))
    return Audit(
        utterances=len(opinions), wrong=wrong, low=low, high=high, hours=(low * hours(at_stake), high * hours(at_stake))
    )
