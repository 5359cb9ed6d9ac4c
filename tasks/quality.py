"""The figures of the quality report and what follows from them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from tasks.config import Curation, Filter
from tasks.schema import Manifest, Role
from tasks.text import Normalizer, normalize

ROLES: tuple[Role, Role] = ("small", "large")

COUNTS = ("hits", "substitutions", "deletions", "insertions")

LEVELS = {"excellent": 0.10, "good": 0.25, "fair": 0.50, "poor": float("inf")}
"""The highest WER of each level."""


class Unbalanced(Exception):
    """Rows were lost or doubled on the way."""

    exit_code = 1


class Distribution(BaseModel, frozen=True):
    """WER as fractions, and how many utterances lie in each level.

    `corpus` is over all words at once (micro), `mean` over utterances, each counted once (macro), `capped` the same
    with none above one.
    """

    utterances: int
    corpus: float | None
    mean: float | None
    capped: float | None
    median: float | None
    std: float | None
    levels: dict[str, int]


class Share(BaseModel, frozen=True):
    """Some of the utterances; hours are null where nobody measured them."""

    utterances: int
    hours: float | None


class Reason(Share, frozen=True):
    """The utterances with this reason as their first; of a rule, also its condition, and how many utterances break it
    whatever comes first (`broken`), and how many break no other (`alone`)."""

    rule: str | None = None
    broken: int | None = None
    alone: int | None = None


class Band(BaseModel, frozen=True):
    """The utterances in one band of the gate, and how many of them were kept."""

    utterances: int
    hours: float
    kept: int
    kept_hours: float


class Speed(BaseModel, frozen=True):
    """What one pass read and how long it took; null where nothing was read.

    `pinned` says whether the checkpoint's name says which file it must be; `seconds` of the shards, with decoding;
    `model_seconds` of them in the model, as if its lanes were one; `peak_device_bytes` the most that it took of a
    device's memory, null on a CPU.
    """

    checkpoint: str
    utterances: int
    hours: float
    seconds: float
    model_seconds: float
    x_real_time: float | None
    utterances_per_second: float | None
    padding: float | None
    pinned: bool
    device: str | None
    precision: str | None
    peak_device_bytes: int | None
    models: list["Speed"] = []
    """The same of each model, where the pass has several."""


class Level(BaseModel, frozen=True):
    """The utterances with at least this agreement, and the mean WER of those with a reference."""

    at_least: float
    utterances: int
    hours: float
    wer: float | None


class Agreement(BaseModel, frozen=True):
    """How far the models of an ensemble agree with its reading (0 to 1), over utterances, each counted once."""

    mean: float | None
    median: float | None
    levels: list[Level]


class Report(BaseModel, frozen=True):
    """The quality report of a run, as in report.json. WER as a fraction; hours of what could be heard, as measured.

    `rescued` is what the small model alone would have dropped and the large one kept, `lost` the other way round.
    `alike` counts dropped utterances that both models read the same. `agreement` is an ensemble's.
    """

    lines: int
    blank: int
    kept: int
    dropped: int
    quarantined: int
    hours: float
    kept_hours: float
    dropped_hours: float
    escalated_hours: float = 0.0
    wer: dict[str, Distribution]
    bands: dict[str, Band] = {}
    rescued: Share = Share(utterances=0, hours=0.0)
    lost: Share = Share(utterances=0, hours=0.0)
    saved_seconds: float | None = None
    alike: int = 0
    agreement: Agreement | None = None
    reasons: dict[str, Reason]
    speed: dict[Role, Speed]

    @property
    def compared(self) -> int:
        """Utterances whose reading was compared with a reference."""
        return self.wer["all"].utterances

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


def assess(rows: pa.Table, manifest: Manifest, speed: dict[Role, Speed], settings: Curation) -> Report:
    """The report over all judged rows of a cascade; raises if they are not the manifest's lines, each once."""
    heard = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    kept, dropped = only(rows, "decision", "keep"), only(rows, "decision", "drop")
    cascaded = heard.filter(pc.equal(pc.fill_null(heard["model"], ""), "large"))
    bands = {name: band(only(heard, "band", name)) for name in ("accept", "escalate", "reject")}
    distributions = {"all": distribution(heard), "kept": distribution(kept)}
    if settings.large:
        distributions |= {f"escalated, {role} model": distribution(cascaded, role) for role in ROLES}
    return Report(
        **counts(rows, manifest, settings.filter),
        escalated_hours=hours(cascaded),
        wer=distributions,
        bands=bands if settings.large else {},
        rescued=share(saved(cascaded, "small", settings.filter.wer_limit, "keep")),
        lost=share(saved(cascaded, "large", settings.filter.wer_limit, "drop")),
        saved_seconds=saved_seconds(bands, speed),
        alike=alike(dropped, settings.normalizer),
        speed=speed,
    )


def counts(rows: pa.Table, manifest: Manifest, given: Filter) -> dict[str, Any]:
    """What became of every row; raises if they are not the manifest's lines, each once."""
    balance(rows["id"], manifest)
    kept, dropped, quarantined = (only(rows, "decision", name) for name in ("keep", "drop", "quarantine"))
    return {
        "lines": manifest.lines,
        "blank": manifest.blank,
        "kept": len(kept),
        "dropped": len(dropped),
        "quarantined": len(quarantined),
        "hours": hours(rows.filter(pc.not_equal(rows["decision"], "quarantine"))),
        "kept_hours": hours(kept),
        "dropped_hours": hours(dropped),
        "reasons": ruled(dropped, given) | reasons(quarantined),
    }


def balance(ids: pa.ChunkedArray, manifest: Manifest) -> None:
    """Raise unless the ids are those of as many utterances as the manifest has, each once."""
    distinct = pc.count_distinct(ids).as_py()
    if not len(ids) == distinct == manifest.lines - manifest.blank:
        raise Unbalanced(
            f"{manifest.lines} lines less {manifest.blank} blank ones came out as {len(ids)} rows with {distinct} ids"
        )


def only(rows: pa.Table, column: str, value: str) -> pa.Table:
    return rows.filter(pc.equal(rows[column], value))


def saved(cascaded: pa.Table, failing: Role, max_wer: float | None, decision: str) -> pa.Table:
    """The rows so decided in which this model's reading is over the limit and the other's is not."""
    other = "small" if failing == "large" else "large"
    limit = float("inf") if max_wer is None else max_wer
    over = pc.and_(pc.greater(cascaded[f"{failing}_wer"], limit), pc.less_equal(cascaded[f"{other}_wer"], limit))
    return only(cascaded.filter(pc.fill_null(over, False)), "decision", decision)


def hours(rows: pa.Table) -> float:
    return (pc.sum(rows["duration"]).as_py() or 0.0) / 3600


def share(rows: pa.Table) -> Share:
    return Share(utterances=len(rows), hours=hours(rows))


def band(rows: pa.Table) -> Band:
    kept = rows.filter(pc.equal(rows["decision"], "keep"))
    return Band(utterances=len(rows), hours=hours(rows), kept=len(kept), kept_hours=hours(kept))


def distribution(rows: pa.Table, role: Role | None = None) -> Distribution:
    """Of the model's readings, or of those that count."""
    values: NDArray[np.float64] = rows[f"{role}_wer" if role else "wer"].drop_null().to_numpy()
    level = np.searchsorted(list(LEVELS.values()), values, side="left")
    counts = np.bincount(level, minlength=len(LEVELS))
    return Distribution(
        utterances=len(values),
        corpus=corpus_wer(rows, role),
        mean=float(values.mean()) if len(values) else None,
        capped=float(np.minimum(values, 1).mean()) if len(values) else None,
        median=float(np.median(values)) if len(values) else None,
        std=float(values.std()) if len(values) else None,
        levels={name: int(n) for name, n in zip(LEVELS, counts, strict=True)},
    )


def corpus_wer(rows: pa.Table, role: Role | None = None) -> float | None:
    """All errors over all words of the references."""
    models = [role] if role else pc.unique(rows["model"].drop_null()).to_pylist()
    parts = {one: rows if role else only(rows, "model", one) for one in models}
    hits, replaced, deleted, inserted = (
        sum(int(pc.sum(part[f"{one}_{name}"], min_count=0).as_py()) for one, part in parts.items()) for name in COUNTS
    )
    words = hits + replaced + deleted
    return (replaced + deleted + inserted) / words if words else None


def saved_seconds(bands: dict[str, Band], speed: dict[Role, Speed]) -> float | None:
    """Seconds that the large model would have needed for what it did not read, at the rate it was measured at."""
    if "large" not in speed or not speed["large"].x_real_time:
        return None
    return (bands["accept"].hours + bands["reject"].hours) * 3600 / speed["large"].x_real_time


def alike(dropped: pa.Table, normalizer: Normalizer) -> int:
    """Dropped rows that both models read alike: there it is the reference that is wrong, most likely."""
    both = dropped.filter(pc.is_valid(dropped["large_pred_text"]))
    pairs = zip(both["small_pred_text"].to_pylist(), both["large_pred_text"].to_pylist(), strict=True)
    return sum(normalize(one, normalizer) == normalize(other, normalizer) != "" for one, other in pairs)


def ruled(dropped: pa.Table, given: Filter) -> dict[str, Reason]:
    """By rule, the one that is most often the first first, and then those that never are."""
    every = dropped["reasons"].drop_null()
    single = every.filter(pc.equal(pc.list_value_length(every), 1))
    broken, alone = (counted(pc.list_flatten(lists)) for lists in (every, single))
    conditions = {rule.name: rule.condition for rule in (*given.in_force, *given.of_labels)}
    first = reasons(dropped)
    never = {name: Reason(utterances=0, hours=0.0) for name in sorted(set(broken) - set(first))}
    return {
        name: Reason(
            utterances=found.utterances,
            hours=hours(only(dropped, "reason", name)),
            rule=conditions.get(name),
            broken=broken.get(name, 0),
            alone=alone.get(name, 0),
        )
        for name, found in (first | never).items()
    }


def reasons(rows: pa.Table) -> dict[str, Reason]:
    """By first reason, the most frequent first."""
    found = sorted(counted(rows["reason"].drop_null()).items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: Reason(utterances=n, hours=None) for name, n in found}


def counted(names: pa.ChunkedArray) -> dict[str, int]:
    return {pair["values"]: pair["counts"] for pair in pc.value_counts(names).to_pylist()}
