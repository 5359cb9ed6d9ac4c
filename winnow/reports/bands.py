"""What became of the utterances in each band of a gate, and how long larger models took for them."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.audit import Audit, summarize_audit
from winnow.reports.counts import NO_UTTERANCES, UtteranceCount, count_utterances, hours_of, rows_where
from winnow.reports.throughput import Throughput
from winnow.roles import Role, band_of, previous_role

BANDS = ("accept", "escalate", "reject")

FINAL = "final"
"""Not a band of the gate: utterances in languages without a next model, whose result so far is used."""


class Band(BaseModel, frozen=True):
    """The utterances in one band of a gate, and what larger models changed there.

    `rescued` counts utterances kept although the small model's hypothesis is too far from the reference, `lost` those
    dropped although the small model's is close enough. `relabelled` counts kept utterances without a reference whose
    text is a larger model's and differs from an earlier model's. `spent_seconds` is the device time of larger models,
    `saved_seconds` the time the large model would have taken for what it did not transcribe; both are None if it
    transcribed nothing.
    """

    utterances: int
    hours: float
    kept: int
    kept_hours: float
    rescued: UtteranceCount = NO_UTTERANCES
    relabelled: UtteranceCount = NO_UTTERANCES
    lost: UtteranceCount = NO_UTTERANCES
    spent_seconds: float | None = None
    saved_seconds: float | None = None
    audit: Audit | None = None


def count_bands(rows: pa.Table, role: Role) -> dict[str, Band]:
    """Count the rows in each band of the gate after this model; every row that it transcribed is in one of them."""
    return {name: count_band(members) for name, members in split_by_band(rows, role).items()}


def split_by_band(rows: pa.Table, role: Role) -> dict[str, pa.Table]:
    """Return the rows of each band; of `final` only if there are any."""
    reached = rows if role == "small" else rows_where(rows, band_of(previous_role(role)), "escalate")
    bands = {name: rows_where(reached, band_of(role), name) for name in BANDS}
    final = reached.filter(pc.is_null(reached[band_of(role)]))
    return {**bands, **({FINAL: final} if len(final) else {})}


def count_band(rows: pa.Table) -> Band:
    kept = rows_where(rows, "decision", "keep")
    return Band(utterances=len(rows), hours=hours_of(rows), kept=len(kept), kept_hours=hours_of(kept))


def summarize_bands(rows: pa.Table, wer_limit: float | None, speed: dict[Role, Throughput]) -> dict[str, Band]:
    """Summarize each band of the gate after the small model; `wer_limit` is the highest WER that the filter keeps."""
    bands = {}
    for name, members in split_by_band(rows, "small").items():
        if name == FINAL:
            bands[name] = count_band(members)
            continue
        bands[name] = count_band(members).model_copy(
            update={
                "rescued": count_utterances(rescued_rows(members, wer_limit)),
                "relabelled": count_utterances(relabelled_rows(members)),
                "lost": count_utterances(lost_rows(members, wer_limit)),
                "spent_seconds": seconds_spent(members, speed),
                "saved_seconds": seconds_saved(members, speed),
                "audit": summarize_audit(members, name),
            }
        )
    return bands


def rows_of_larger_models(rows: pa.Table, decision: str) -> pa.Table:
    """Select the rows with this decision whose selected hypothesis is a larger model's."""
    return rows.filter(pc.and_(pc.equal(rows["decision"], decision), pc.not_equal(rows["model"], "small")))


def rescued_rows(rows: pa.Table, wer_limit: float | None) -> pa.Table:
    """Select rows kept with a larger model's hypothesis, where the small model's WER is above the limit."""
    kept = rows_of_larger_models(rows, "keep")
    above = pc.greater(kept["small_wer"], float("inf") if wer_limit is None else wer_limit)
    return kept.filter(pc.fill_null(above, False))


def relabelled_rows(rows: pa.Table) -> pa.Table:
    """Select kept rows without a reference that have a larger model's text on which not all models agree."""
    kept = rows_of_larger_models(rows, "keep")
    differs = pc.fill_null(pc.less(kept["agreement"], 1.0), False)
    return kept.filter(pc.and_(pc.is_null(kept["small_wer"]), differs))


def lost_rows(rows: pa.Table, wer_limit: float | None) -> pa.Table:
    """Select rows dropped with a larger model's hypothesis, where the small model's WER is within the limit."""
    limit = float("inf") if wer_limit is None else wer_limit
    dropped = rows_of_larger_models(rows, "drop")
    only_larger = pc.and_(pc.less_equal(dropped["small_wer"], limit), pc.greater(dropped["wer"], limit))
    return dropped.filter(pc.fill_null(only_larger, False))


def seconds_spent(rows: pa.Table, speed: dict[Role, Throughput]) -> float | None:
    """Estimate the device seconds of larger models for these rows, each at its average rate in the run."""
    rates = {role: passed.seconds / passed.hours for role, passed in speed.items() if role != "small" and passed.hours}
    transcribed = {role: rows.filter(pc.is_valid(rows[f"{role}_pred_text"])) for role in rates}
    return sum(rate * hours_of(transcribed[role]) for role, rate in rates.items()) if rates else None


def seconds_saved(rows: pa.Table, speed: dict[Role, Throughput]) -> float | None:
    """Estimate the device seconds that the large model would have taken for the rows that it did not transcribe."""
    if "large" not in speed or not speed["large"].rtfx:
        return None
    return hours_of(rows.filter(pc.is_null(rows["large_pred_text"]))) * 3600 / speed["large"].rtfx
