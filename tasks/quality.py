"""The figures of the quality report and what follows from them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.schema import Manifest, Role
from tasks.text import Normalizer, normalize

LEVELS = {"excellent": 0.10, "good": 0.25, "fair": 0.50, "poor": float("inf")}
"""The highest WER of each level."""


class Unbalanced(Exception):
    """Rows were lost or doubled on the way."""

    exit_code = 1


class Distribution(BaseModel, frozen=True):
    """WER over utterances, each counted once: fractions, and how many lie in each level."""

    utterances: int
    mean: float | None
    median: float | None
    std: float | None
    levels: dict[str, int]


class Share(BaseModel, frozen=True):
    """Some of the utterances."""

    utterances: int
    hours: float


class Band(Share, frozen=True):
    """The utterances in one band of the gate, and how many of them were kept."""

    kept: int
    kept_hours: float


class Speed(BaseModel, frozen=True):
    """What one pass read and how long the model took; null where nothing was read."""

    checkpoint: str
    utterances: int
    hours: float
    seconds: float
    x_real_time: float | None
    utterances_per_second: float | None
    padding: float | None


class Report(BaseModel, frozen=True):
    """The quality report of a run, as in report.json. Hours of audio whose length is known; WER as a fraction."""

    lines: int
    blank: int
    kept: int
    dropped: int
    quarantined: int
    hours: float
    kept_hours: float
    dropped_hours: float
    quarantined_hours: float
    escalated_hours: float
    wer: dict[str, Distribution]
    bands: dict[str, Band]
    rescued: Share
    saved_seconds: float | None
    alike: int
    reasons: dict[str, Share]
    speed: dict[Role, Speed]
    recommendations: list[str]

    @property
    def utterances(self) -> int:
        return self.lines - self.blank

    @property
    def balance(self) -> str:
        """That nothing was lost, as a sum."""
        return (
            f"{self.lines:,} lines = {self.blank:,} blank + {self.kept:,} kept + {self.dropped:,} dropped "
            f"+ {self.quarantined:,} quarantined"
        )


def assess(rows: pa.Table, manifest: Manifest, speed: dict[Role, Speed], normalizer: Normalizer) -> Report:
    """The report over all judged rows of a run; raises if they are not the manifest's lines, each once."""
    ids = pc.count_distinct(rows["id"]).as_py()
    if not len(rows) == ids == manifest.lines - manifest.blank:
        raise Unbalanced(
            f"{manifest.lines} lines less {manifest.blank} blank ones came out as {len(rows)} rows with {ids} ids"
        )
    fate = {name: share(rows.filter(pc.equal(rows["decision"], name))) for name in ("keep", "drop", "quarantine")}
    kept = rows.filter(pc.equal(rows["decision"], "keep"))
    bands = (
        {name: band(rows.filter(pc.equal(rows["band"], name))) for name in ("accept", "escalate", "reject")}
        if "large" in speed
        else {}
    )
    escalated = rows.filter(pc.equal(rows["band"], "escalate"))
    figures: dict[str, Any] = {
        "lines": manifest.lines,
        "blank": manifest.blank,
        "kept": fate["keep"].utterances,
        "dropped": fate["drop"].utterances,
        "quarantined": fate["quarantine"].utterances,
        "hours": hours(rows),
        "kept_hours": fate["keep"].hours,
        "dropped_hours": fate["drop"].hours,
        "quarantined_hours": fate["quarantine"].hours,
        "escalated_hours": hours(escalated),
        "wer": {
            "all": distribution(rows["wer"]),
            "kept": distribution(kept["wer"]),
        }
        | (
            {
                "escalated, small model": distribution(escalated["small_wer"]),
                "escalated, large model": distribution(escalated["large_wer"]),
            }
            if bands
            else {}
        ),
        "bands": bands,
        "rescued": share(kept.filter(pc.equal(kept["model"], "large"))),
        "saved_seconds": saved(bands, speed),
        "alike": alike(rows.filter(pc.equal(rows["decision"], "drop")), normalizer),
        "reasons": reasons(rows),
        "speed": speed,
        "recommendations": [],
    }
    report = Report(**figures)
    return report.model_copy(update={"recommendations": recommendations(report)})


def hours(rows: pa.Table) -> float:
    return (pc.sum(rows["duration"]).as_py() or 0.0) / 3600


def share(rows: pa.Table) -> Share:
    return Share(utterances=len(rows), hours=hours(rows))


def band(rows: pa.Table) -> Band:
    kept = rows.filter(pc.equal(rows["decision"], "keep"))
    return Band(utterances=len(rows), hours=hours(rows), kept=len(kept), kept_hours=hours(kept))


def distribution(wer: pa.ChunkedArray) -> Distribution:
    values: NDArray[np.float64] = wer.drop_null().to_numpy()
    if not len(values):
        return Distribution(utterances=0, mean=None, median=None, std=None, levels=dict.fromkeys(LEVELS, 0))
    level = np.searchsorted(list(LEVELS.values()), values, side="left")
    counts = np.bincount(level, minlength=len(LEVELS))
    return Distribution(
        utterances=len(values),
        mean=float(values.mean()),
        median=float(np.median(values)),
        std=float(values.std()),
        levels={name: int(n) for name, n in zip(LEVELS, counts, strict=True)},
    )


def saved(bands: dict[str, Band], speed: dict[Role, Speed]) -> float | None:
    """Seconds that the large model would have needed for what it did not read, at the rate it was measured at."""
    if "large" not in speed or not speed["large"].x_real_time:
        return None
    return (bands["accept"].hours + bands["reject"].hours) * 3600 / speed["large"].x_real_time


def alike(dropped: pa.Table, normalizer: Normalizer) -> int:
    """Dropped rows that both models read alike: there it is the reference that is wrong, most likely."""
    both = dropped.filter(pc.is_valid(dropped["large_pred_text"]))
    pairs = zip(both["small_pred_text"].to_pylist(), both["large_pred_text"].to_pylist(), strict=True)
    return sum(normalize(one, normalizer) == normalize(other, normalizer) != "" for one, other in pairs)


def reasons(rows: pa.Table) -> dict[str, Share]:
    """By reason, the most frequent first."""
    found = (
        rows.filter(pc.is_valid(rows["reason"])).group_by("reason").aggregate([("id", "count"), ("duration", "sum")])
    )
    ordered = sorted(found.to_pylist(), key=lambda row: (-row["id_count"], row["reason"]))
    return {
        row["reason"]: Share(utterances=row["id_count"], hours=(row["duration_sum"] or 0.0) / 3600) for row in ordered
    }


def recommendations(report: Report) -> list[str]:
    """What the figures suggest; the first two are those of NeMo Curator's guide to WER filtering."""
    advice = []
    every, kept = report.wer["all"], report.wer["kept"]
    if every.mean is not None and every.mean > 0.30:
        advice.append(f"The mean WER is {every.mean:.0%}: try a larger model, and listen to some of the audio.")
    if every.std is not None and every.std > 0.20:
        advice.append(
            f"The WER varies much (standard deviation {every.std:.0%}): look at the outliers below, and consider a "
            "model of the corpus' own domain."
        )
    if report.dropped and report.alike / report.dropped >= 0.10:
        advice.append(
            f"Both models read the same words in {report.alike} of {report.dropped} dropped utterances: probably their "
            "references are wrong and their audio is good. `pred_text` in `rejects/` may serve as a new reference."
        )
    if report.bands and no_better(report.wer["escalated, large model"], report.wer["escalated, small model"]):
        advice.append("The large model does no better than the small one on what it read: choose another one.")
    if "escalate" in report.bands and report.hours and report.escalated_hours / report.hours > 0.5:
        advice.append(
            f"The large model read {report.escalated_hours / report.hours:.0%} of the audio: a better small model or a "
            "higher `gate.accept` would make the cascade pay."
        )
    escalate = report.bands.get("escalate")
    if escalate and escalate.utterances >= 20 and escalate.kept / escalate.utterances < 0.05:
        advice.append("Hardly anything that was escalated was kept: a lower `gate.reject` would cost little.")
    if report.utterances and report.quarantined / report.utterances > 0.05:
        worst = next(iter(report.reasons), "")
        advice.append(
            f"{report.quarantined / report.utterances:.0%} of the utterances could not be read at all ({worst} first): "
            "mend the manifest or the audio."
        )
    if kept.utterances and not advice:
        advice.append("Nothing stands out.")
    return advice


def no_better(one: Distribution, other: Distribution) -> bool:
    return one.mean is not None and other.mean is not None and one.mean >= other.mean
