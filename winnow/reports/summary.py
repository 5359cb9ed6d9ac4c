"""The figures of the quality report and what follows from them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from winnow.errors import CountMismatch
from winnow.gates.criteria import Gates
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.reports.agreement import Agreement, summarize_agreement
from winnow.reports.bands import Band, count_bands, summarize_bands
from winnow.reports.counts import NO_UTTERANCES, UtteranceCount, hours_of, rows_where
from winnow.reports.throughput import Throughput
from winnow.roles import Role
from winnow.schema import ShardedManifest
from winnow.text.normalize import Normalizer, normalize

COUNTS = ("hits", "substitutions", "deletions", "insertions")

LEVELS = {"excellent": 0.10, "good": 0.25, "fair": 0.50, "poor": float("inf")}
"""The highest WER of each level."""


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


class Reason(UtteranceCount, frozen=True):
    """The utterances with this reason as their first; of a rule, also its condition, and how many utterances break it
    whatever comes first (`violations`), and how many break no other (`only_this_rule`)."""

    rule: str | None = None
    violations: int | None = None
    only_this_rule: int | None = None


class Report(BaseModel, frozen=True):
    """The quality report of a run, as in report.json. WER as a fraction; hours of what could be heard, as measured.

    `bands` are those of the gate behind the small model, `further` of those behind larger ones, and `gates` what the
    first went by. `rescued` is what the small model alone would have dropped, or labelled otherwise, and was kept,
    `lost` what it alone would have kept.
    `alike` counts dropped utterances that both models read the same. `agreement` is
    there where utterances may have no reference.
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
    further: dict[Role, dict[str, Band]] = {}
    gates: Gates | None = None
    rescued: UtteranceCount = NO_UTTERANCES
    lost: UtteranceCount = NO_UTTERANCES
    saved_seconds: float | None = None
    alike: int = 0
    agreement: Agreement | None = None
    reasons: dict[str, Reason]
    speed: dict[Role, Throughput]

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


def summarize(
    rows: pa.Table,
    manifest: ShardedManifest,
    speed: dict[Role, Throughput],
    settings: Curation,
    gates: Gates | None = None,
) -> Report:
    """The report over all judged rows of a cascade; raises if they are not the manifest's lines, each once."""
    heard = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    kept, dropped = rows_where(rows, "decision", "keep"), rows_where(rows, "decision", "drop")
    cascaded = heard.filter(pc.not_equal(pc.fill_null(heard["model"], "small"), "small"))
    bands = summarize_bands(heard, settings.filter.wer_limit, speed) if settings.large else {}
    saved = [band.saved_seconds for band in bands.values() if band.saved_seconds is not None]
    distributions = {"all": distribution(heard), "kept": distribution(kept)}
    if settings.large:
        distributions |= {f"escalated, {role} model": distribution(cascaded, role) for role in settings.roles}
    return Report(
        **count_decisions(rows, manifest, settings.filter),
        escalated_hours=hours_of(cascaded),
        wer=distributions,
        bands=bands,
        further={role: count_bands(heard, role) for role in settings.roles[1:-1]},
        gates=gates,
        rescued=sum_counts(band.rescued for band in bands.values()),
        lost=sum_counts(band.lost for band in bands.values()),
        saved_seconds=sum(saved) if saved else None,
        alike=count_alike(dropped, settings.normalizer),
        agreement=None if settings.referenced else summarize_agreement(heard),
        speed=speed,
    )


def sum_counts(shares: Iterable[UtteranceCount]) -> UtteranceCount:
    found = list(shares)
    return UtteranceCount(utterances=sum(one.utterances for one in found), hours=sum(one.hours or 0.0 for one in found))


def count_decisions(rows: pa.Table, manifest: ShardedManifest, given: Filter) -> dict[str, Any]:
    """What became of every row; raises if they are not the manifest's lines, each once."""
    check_balance(rows["id"], manifest)
    kept, dropped, quarantined = (rows_where(rows, "decision", name) for name in ("keep", "drop", "quarantine"))
    return {
        "lines": manifest.lines,
        "blank": manifest.blank,
        "kept": len(kept),
        "dropped": len(dropped),
        "quarantined": len(quarantined),
        "hours": hours_of(rows.filter(pc.not_equal(rows["decision"], "quarantine"))),
        "kept_hours": hours_of(kept),
        "dropped_hours": hours_of(dropped),
        "reasons": rule_reasons(dropped, given) | count_reasons(quarantined),
    }


def check_balance(ids: pa.ChunkedArray, manifest: ShardedManifest) -> None:
    """Raise unless the ids are those of as many utterances as the manifest has, each once."""
    distinct = pc.count_distinct(ids).as_py()
    if not len(ids) == distinct == manifest.lines - manifest.blank:
        raise CountMismatch(
            f"{manifest.lines} lines less {manifest.blank} blank ones came out as {len(ids)} rows with {distinct} ids"
        )


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
    parts = {one: rows if role else rows_where(rows, "model", one) for one in models}
    hits, replaced, deleted, inserted = (
        sum(int(pc.sum(part[f"{one}_{name}"], min_count=0).as_py()) for one, part in parts.items()) for name in COUNTS
    )
    words = hits + replaced + deleted
    return (replaced + deleted + inserted) / words if words else None


def count_alike(dropped: pa.Table, normalizer: Normalizer) -> int:
    """Dropped rows that both models read alike: there it is the reference that is wrong, most likely."""
    both = dropped.filter(pc.is_valid(dropped["large_pred_text"]))
    pairs = zip(both["small_pred_text"].to_pylist(), both["large_pred_text"].to_pylist(), strict=True)
    return sum(normalize(one, normalizer) == normalize(other, normalizer) != "" for one, other in pairs)


def rule_reasons(dropped: pa.Table, given: Filter) -> dict[str, Reason]:
    """By rule, the one that is most often the first first, and then those that never are."""
    every = dropped["reasons"].drop_null()
    single = every.filter(pc.equal(pc.list_value_length(every), 1))
    broken, alone = (count_values(pc.list_flatten(lists)) for lists in (every, single))
    conditions = {rule.name: rule.condition for rule in (*given.label_rules, *given.active_rules)}
    first = count_reasons(dropped)
    never = {name: Reason(utterances=0, hours=0.0) for name in sorted(set(broken) - set(first))}
    return {
        name: Reason(
            utterances=found.utterances,
            hours=hours_of(rows_where(dropped, "reason", name)),
            rule=conditions.get(name),
            violations=broken.get(name, 0),
            only_this_rule=alone.get(name, 0),
        )
        for name, found in (first | never).items()
    }


def count_reasons(rows: pa.Table) -> dict[str, Reason]:
    """By first reason, the most frequent first."""
    found = sorted(count_values(rows["reason"].drop_null()).items(), key=lambda pair: (-pair[1], pair[0]))
    return {name: Reason(utterances=n, hours=None) for name, n in found}


def count_values(names: pa.ChunkedArray) -> dict[str, int]:
    return {pair["values"]: pair["counts"] for pair in pc.value_counts(names).to_pylist()}
