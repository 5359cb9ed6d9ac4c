"""The figures of the quality report, as in report.json."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.reports.agreement import Agreement, AgreementCounts, count_both_models_agree
from winnow.reports.bands import Band, FirstGateCounts, GateCounts, rescued_rows
from winnow.reports.cost import Cost, cost_of
from winnow.reports.counts import (
    NO_UTTERANCES,
    Amount,
    DecisionCounts,
    MendedCount,
    ReasonCount,
    UtteranceCount,
    count_values,
    rows_where,
    sum_counts,
    transcribed_rows,
)
from winnow.reports.distributions import DOUBT_EDGES, WER_EDGES, Histogram, HistogramCounts
from winnow.reports.examples import BestRows, Example, first_rows, most_doubtful, worst_dropped
from winnow.reports.heard import HeardCounts, HeardDistribution
from winnow.reports.languages import LanguageFigures, Languages
from winnow.reports.recommendation import Recommendation
from winnow.reports.slices import FIELD, Slice, SliceCounts
from winnow.reports.throughput import Throughput
from winnow.reports.wer_distribution import WerCounts, WerDistribution
from winnow.roles import Role
from winnow.runs.run_record import RunRecord
from winnow.schema import INPUT_TEXT, ShardedManifest


class RelabelledCount(UtteranceCount, frozen=True):
    """Utterances that have a proposal in the place of their reference, and how many of them are kept."""

    hours: float
    kept: int


class ReviewedCount(UtteranceCount, frozen=True):
    """Utterances that people decided: how many each way, and by whom."""

    hours: float
    kept: int
    dropped: int
    edited: int
    reviewers: dict[str, int]


class Report(BaseModel, frozen=True):
    """The quality report of a run. WER as a fraction; hours as measured, without those of quarantined utterances.

    `language` is that of all rows that have one; `languages` is empty if the rows have only one. `bands` belong to the
    gate after the small model, `further` to the gates after larger models; `gates` has the limits of the first, and
    `calibration` what planted errors tell. `rescued`, `lost` and `saved_seconds` are sums over `bands`. `alike` counts
    dropped utterances in which the small and the large model have the same words. `agreement` is None if every
    utterance must have a reference. `proposals` counts dropped utterances with a proposal; `relabelled` is None unless
    the run was relabelled, `reviewed` unless people decided about its rows. `heard` has the columns of measures.
    `cost` is None unless the price of a device hour is known. `distributions` has utterances by WER and by doubt,
    `slices` those that stand out first. `examples` are dropped utterances, `doubtful` kept ones with the highest doubt,
    `rescued_examples` some of `rescued`. `warnings` are sentences that should not be overlooked, `recommendations` what
    to do about the run.
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
    wer: dict[str, WerDistribution]
    language: str | None = None
    languages: dict[str, LanguageFigures] = {}
    bands: dict[str, Band] = {}
    further: dict[Role, dict[str, Band]] = {}
    gates: Gates | None = None
    calibration: Calibration | None = None
    rescued: UtteranceCount = NO_UTTERANCES
    lost: UtteranceCount = NO_UTTERANCES
    saved_seconds: float | None = None
    alike: int = 0
    agreement: Agreement | None = None
    proposals: UtteranceCount = NO_UTTERANCES
    relabelled: RelabelledCount | None = None
    reviewed: ReviewedCount | None = None
    heard: dict[str, HeardDistribution] = {}
    reasons: dict[str, ReasonCount]
    mended: dict[str, MendedCount] = {}
    speed: dict[Role, Throughput]
    cost: Cost | None = None
    distributions: dict[str, Histogram] = {}
    slices: list[Slice] = []
    examples: list[Example] = []
    doubtful: list[Example] = []
    rescued_examples: list[Example] = []
    warnings: list[str] = []
    recommendations: list[Recommendation] = []

    @property
    def compared(self) -> int:
        """Number of utterances whose hypothesis was compared with a reference."""
        return self.wer["all"].utterances

    @property
    def utterances(self) -> int:
        """Number of lines of the manifest that are not blank."""
        return self.lines - self.blank

    @property
    def balance(self) -> str:
        """The sum that shows that no line was lost."""
        return (
            f"{self.lines:,} lines = {self.blank:,} blank + {self.kept:,} kept + {self.dropped:,} dropped "
            f"+ {self.quarantined:,} quarantined"
        )


class ReportContext(NamedTuple):
    """What sections and charts are made from: a run's report, its settings and its record."""

    report: Report
    settings: Settings
    record: RunRecord | None = None


def summarize(
    shards: pa.Table | Iterable[pa.Table],
    manifest: ShardedManifest,
    speed: dict[Role, Throughput],
    settings: Settings,
    gates: Gates | None = None,
    calibration: Calibration | None = None,
) -> Report:
    """Compute the report of a run from its filtered rows, of which one shard at a time is in memory.

    Raises `CountMismatch` if rows were lost or duplicated.
    """
    counts = EnsembleCounts(settings, speed) if isinstance(settings, Ensemble) else CascadeCounts(settings, speed)
    for rows in [shards] if isinstance(shards, pa.Table) else shards:
        counts.add(rows)
    fields = counts.fields(manifest)
    cost = cost_of(speed, settings, fields["hours"])
    return Report(**fields, gates=gates, calibration=calibration, speed=speed, cost=cost)


class RunCounts:
    """The figures of every run, added up shard by shard.

    `models` has the roles of the models whose WER is shown beside that of the selected hypotheses, by their names.
    """

    def __init__(self, settings: Settings, models: dict[str, Role], roles: Iterable[Role]) -> None:
        self.settings = settings
        self.decisions = DecisionCounts(settings.filter)
        self.wer = {"all": WerCounts(), "kept": WerCounts()}
        self.languages, self.heard, self.slices = Languages(roles), HeardCounts(), SliceCounts()
        self.agreement = AgreementCounts()
        wers = {"selected hypothesis": "wer"} | {name: f"{role}_wer" for name, role in models.items()}
        self.histograms = {
            "wer": HistogramCounts(wers, WER_EDGES),
            "doubt": HistogramCounts({"all that are judged": "doubt"}, DOUBT_EDGES),
        }
        self.proposals, self.relabelled, self.reviewed = Amount(), RelabelledCounts(), ReviewedCounts()
        self.dropped_rows, self.doubtful_rows = BestRows(worst_dropped), BestRows(most_doubtful)

    def add(self, rows: pa.Table) -> None:
        """Count the rows of another shard."""
        transcribed, kept = transcribed_rows(rows), rows_where(rows, "decision", "keep")
        dropped = rows_where(rows, "decision", "drop")
        for counts in (self.decisions, self.languages, self.heard, self.relabelled, self.reviewed):
            counts.add(rows)
        self.wer["all"].add(transcribed)
        self.wer["kept"].add(kept)
        self.slices.add(transcribed)
        self.agreement.add(transcribed)
        for histogram in self.histograms.values():
            histogram.add(transcribed)
        self.proposals.add(dropped.filter(pc.is_valid(dropped["proposal"])))
        shown = rows.drop_columns([name for name in rows.schema.names if name.startswith(FIELD)])
        self.dropped_rows.add(shown)
        self.doubtful_rows.add(shown)

    def fields(self, manifest: ShardedManifest) -> dict[str, Any]:
        """Return the report's fields of these figures; raises `CountMismatch` if rows were lost or duplicated."""
        histograms = {name: counts.histogram for name, counts in self.histograms.items()}
        return {
            **self.decisions.fields(manifest),
            "proposals": self.proposals.count,
            "relabelled": self.relabelled.count,
            "reviewed": self.reviewed.count,
            "examples": self.dropped_rows.examples(self.settings.comparison),
            "doubtful": self.doubtful_rows.examples(self.settings.comparison),
            "heard": self.heard.distributions,
            "distributions": {name: made for name, made in histograms.items() if made.counts},
            "slices": self.slices.slices,
            "wer": {name: wer.distribution for name, wer in self.wer.items()},
            "language": self.languages.only,
            "languages": self.languages.figures,
        }


class CascadeCounts(RunCounts):
    """The figures of a cascade, added up shard by shard."""

    def __init__(self, settings: Curation, speed: dict[Role, Throughput]) -> None:
        super().__init__(settings, {"small model": "small"}, settings.roles)
        self.cascade = settings
        self.alike, self.escalated = 0, Amount()
        self.rescued_rows = BestRows(first_rows)
        self.escalated_wer = {role: WerCounts(role) for role in settings.roles if settings.large}
        self.gate = FirstGateCounts(settings.filter.max_kept_wer, speed) if settings.large else None
        self.further = {role: GateCounts(role) for role in settings.roles[1:-1]}

    def add(self, rows: pa.Table) -> None:
        super().add(rows)
        transcribed, dropped = transcribed_rows(rows), rows_where(rows, "decision", "drop")
        escalated = transcribed.filter(pc.not_equal(pc.fill_null(transcribed["model"], "small"), "small"))
        self.escalated.add(escalated)
        self.alike += count_both_models_agree(dropped, self.cascade.comparison)
        for wer in self.escalated_wer.values():
            wer.add(escalated)
        for gate in self.further.values():
            gate.add(transcribed)
        if self.gate:
            self.gate.add(transcribed)
            rescued = rescued_rows(transcribed, self.gate.wer_limit)
            self.rescued_rows.add(
                rescued.drop_columns([name for name in rescued.schema.names if name.startswith(FIELD)])
            )

    def fields(self, manifest: ShardedManifest) -> dict[str, Any]:
        fields = super().fields(manifest)
        bands = self.gate.bands if self.gate else {}
        saved = [band.saved_seconds for band in bands.values() if band.saved_seconds is not None]
        wer = {f"escalated, {role} model": counts.distribution for role, counts in self.escalated_wer.items()}
        return fields | {
            "wer": fields["wer"] | wer,
            "escalated_hours": self.escalated.hours,
            "bands": bands,
            "further": {role: gate.bands for role, gate in self.further.items()},
            "rescued": sum_counts(band.rescued for band in bands.values()),
            "lost": sum_counts(band.lost for band in bands.values()),
            "saved_seconds": sum(saved) if saved else None,
            "alike": self.alike,
            "agreement": None if self.cascade.referenced else self.agreement.summary,
            "rescued_examples": self.rescued_rows.examples(self.cascade.comparison),
        }


class EnsembleCounts(RunCounts):
    """The figures of an ensemble, added up shard by shard."""

    def __init__(self, settings: Ensemble, speed: dict[Role, Throughput]) -> None:
        super().__init__(settings, {role: role for role in speed}, speed)
        self.model_wer = {role: WerCounts(role) for role in speed}

    def add(self, rows: pa.Table) -> None:
        super().add(rows)
        transcribed = transcribed_rows(rows)
        for wer in self.model_wer.values():
            wer.add(transcribed)

    def fields(self, manifest: ShardedManifest) -> dict[str, Any]:
        fields = super().fields(manifest)
        wer = {role: counts.distribution for role, counts in self.model_wer.items()}
        return fields | {"wer": fields["wer"] | wer, "agreement": self.agreement.summary}


class RelabelledCounts:
    """Rows with a proposal in the place of their reference, added up."""

    def __init__(self) -> None:
        self.all, self.kept = Amount(), 0
        self.possible, self.reviewed = False, False

    def add(self, rows: pa.Table) -> None:
        """Count the rows of another shard."""
        if INPUT_TEXT not in rows.schema.names:
            return
        self.possible = True
        self.reviewed = "review" in rows.schema.names
        edited = pc.equal(rows["review"], "edit") if self.reviewed else pa.scalar(False)
        relabelled = rows.filter(pc.and_not(pc.is_valid(rows[INPUT_TEXT]), pc.fill_null(edited, False)))
        self.all.add(relabelled)
        self.kept += len(rows_where(relabelled, "decision", "keep"))

    @property
    def count(self) -> RelabelledCount | None:
        """The sums; None unless the run was relabelled."""
        if not self.possible or (self.reviewed and not self.all.utterances):
            return None
        return RelabelledCount(**self.all.count.model_dump(), kept=self.kept)


class ReviewedCounts:
    """Rows that people decided about, added up."""

    def __init__(self) -> None:
        self.all, self.possible = Amount(), False
        self._kinds, self._reviewers = Counter[str](), Counter[str]()

    def add(self, rows: pa.Table) -> None:
        """Count the rows of another shard."""
        if "review" not in rows.schema.names:
            return
        self.possible = True
        reviewed = rows.filter(pc.is_valid(rows["review"]))
        self.all.add(reviewed)
        self._kinds.update(count_values(reviewed["review"]))
        self._reviewers.update(count_values(reviewed["reviewer"]))

    @property
    def count(self) -> ReviewedCount | None:
        """The sums; None unless the run has decisions of people."""
        if not self.possible:
            return None
        return ReviewedCount(
            **self.all.count.model_dump(),
            kept=self._kinds["keep"],
            dropped=self._kinds["drop"],
            edited=self._kinds["edit"],
            reviewers=dict(sorted(self._reviewers.items())),
        )
