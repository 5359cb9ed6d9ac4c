"""What became of the utterances in each band of a gate, and how long larger models took for them."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.audit import Audit, AuditCounts
from winnow.reports.counts import NO_UTTERANCES, Amount, UtteranceCount, hours_of, rows_where
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


def split_by_band(rows: pa.Table, role: Role) -> dict[str, pa.Table]:
    """Return the rows of each band of the gate after this model; every row that it transcribed is in one of them."""
    reached = rows if role == "small" else rows_where(rows, band_of(previous_role(role)), "escalate")
    bands = {name: rows_where(reached, band_of(role), name) for name in BANDS}
    return {**bands, FINAL: reached.filter(pc.is_null(reached[band_of(role)]))}


class GateCounts:
    """The transcribed rows of a run in each band of the gate after a model, added up."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self._all = {name: Amount() for name in (*BANDS, FINAL)}
        self._kept = {name: Amount() for name in (*BANDS, FINAL)}

    def add(self, rows: pa.Table) -> None:
        """Count the transcribed rows of another shard."""
        for name, members in split_by_band(rows, self.role).items():
            self.add_to(name, members)

    def add_to(self, name: str, members: pa.Table) -> None:
        """Count rows of a band."""
        self._all[name].add(members)
        self._kept[name].add(rows_where(members, "decision", "keep"))

    @property
    def bands(self) -> dict[str, Band]:
        """Each band; `final` only if it has rows."""
        return {name: self.band(name) for name, members in self._all.items() if name != FINAL or members.utterances}

    def band(self, name: str) -> Band:
        members, kept = self._all[name], self._kept[name]
        return Band(utterances=members.utterances, hours=members.hours, kept=kept.utterances, kept_hours=kept.hours)


class FirstGateCounts(GateCounts):
    """The same for the gate after the small model, with what larger models changed, and what they took for it.

    `wer_limit` is the highest WER that the filter keeps.
    """

    def __init__(self, wer_limit: float | None, speed: dict[Role, Throughput]) -> None:
        super().__init__("small")
        self.wer_limit, self.speed = wer_limit, speed
        self._changed = {name: {kind: Amount() for kind in ("rescued", "relabelled", "lost")} for name in BANDS}
        self._spent: dict[str, float | None] = dict.fromkeys(BANDS)
        self._saved: dict[str, float | None] = dict.fromkeys(BANDS)
        self._audits = {name: AuditCounts(name) for name in BANDS}

    def add_to(self, name: str, members: pa.Table) -> None:
        super().add_to(name, members)
        if name == FINAL:
            return
        changed = self._changed[name]
        changed["rescued"].add(rescued_rows(members, self.wer_limit))
        changed["relabelled"].add(relabelled_rows(members))
        changed["lost"].add(lost_rows(members, self.wer_limit))
        self._spent[name] = add_known(self._spent[name], seconds_spent(members, self.speed))
        self._saved[name] = add_known(self._saved[name], seconds_saved(members, self.speed))
        self._audits[name].add(members)

    def band(self, name: str) -> Band:
        band = super().band(name)
        if name == FINAL:
            return band
        return band.model_copy(
            update={
                **{kind: amount.count for kind, amount in self._changed[name].items()},
                "spent_seconds": self._spent[name],
                "saved_seconds": self._saved[name],
                "audit": self._audits[name].audit,
            }
        )


def add_known(total: float | None, more: float | None) -> float | None:
    """Add up what is known; None if nothing is."""
    return total if more is None else more if total is None else total + more


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
