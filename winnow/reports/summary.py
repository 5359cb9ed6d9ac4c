"""The figures of the quality report, as in report.json."""

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.reports.agreement import Agreement, count_both_models_agree, summarize_agreement
from winnow.reports.bands import Band, count_bands, rescued_rows, summarize_bands
from winnow.reports.counts import (
    NO_UTTERANCES,
    MendedCount,
    ReasonCount,
    UtteranceCount,
    count_decisions,
    count_utterances,
    count_values,
    hours_of,
    rows_where,
    sum_counts,
    transcribed_rows,
)
from winnow.reports.distributions import DOUBT_EDGES, WER_EDGES, Histogram, histogram
from winnow.reports.examples import Example, doubtful_examples, dropped_examples, some_examples
from winnow.reports.heard import HeardDistribution, summarize_heard
from winnow.reports.languages import LanguageFigures, summarize_languages
from winnow.reports.recommendation import Recommendation
from winnow.reports.slices import Slice, summarize_slices
from winnow.reports.throughput import Throughput
from winnow.reports.wer_distribution import WerDistribution, wer_distribution
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

    `languages` is empty if the rows have only one. `bands` belong to the gate after the small model, `further` to the
    gates after larger models; `gates` has the limits of the first, and `calibration` what planted errors tell.
    `rescued`, `lost` and `saved_seconds` are sums over `bands`. `alike` counts dropped utterances in which the small
    and the large model have the same words. `agreement` is None if every utterance must have a reference. `proposals`
    counts dropped utterances with a proposal; `relabelled` is None unless the run was relabelled, `reviewed`
    unless people decided about its rows. `heard` has the columns of measures. `distributions` has utterances by WER
    and by doubt, `slices` those that stand out first. `examples` are dropped utterances, `doubtful` kept ones with the
    highest doubt, `rescued_examples` some of `rescued`. `warnings` are sentences that should not be overlooked,
    `recommendations` what to do about the run.
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
    """What sections and charts are made from: a run's report, the rows that it summarizes, its settings and record."""

    report: Report
    rows: pa.Table
    settings: Settings
    record: RunRecord | None = None


def summarize(
    rows: pa.Table,
    manifest: ShardedManifest,
    speed: dict[Role, Throughput],
    settings: Curation,
    gates: Gates | None = None,
    calibration: Calibration | None = None,
) -> Report:
    """Compute the report of a cascade from all its filtered rows.

    Raises `CountMismatch` if rows were lost or duplicated.
    """
    transcribed = transcribed_rows(rows)
    kept, dropped = rows_where(rows, "decision", "keep"), rows_where(rows, "decision", "drop")
    escalated = transcribed.filter(pc.not_equal(pc.fill_null(transcribed["model"], "small"), "small"))
    bands = summarize_bands(transcribed, settings.filter.max_kept_wer, speed) if settings.large else {}
    saved = [band.saved_seconds for band in bands.values() if band.saved_seconds is not None]
    wer = {"all": wer_distribution(transcribed), "kept": wer_distribution(kept)}
    if settings.large:
        wer |= {f"escalated, {role} model": wer_distribution(escalated, role) for role in settings.roles}
    return Report(
        **count_decisions(rows, manifest, settings.filter),
        **references_in_doubt(rows, settings),
        heard=summarize_heard(rows),
        **distributed(transcribed, {"small model": "small"}),
        escalated_hours=hours_of(escalated),
        wer=wer,
        languages=summarize_languages(rows, settings.roles),
        bands=bands,
        further={role: count_bands(transcribed, role) for role in settings.roles[1:-1]},
        gates=gates,
        calibration=calibration,
        rescued_examples=some_examples(
            rescued_rows(transcribed, settings.filter.max_kept_wer) if settings.large else transcribed.slice(0, 0),
            settings.comparison,
        ),
        rescued=sum_counts(band.rescued for band in bands.values()),
        lost=sum_counts(band.lost for band in bands.values()),
        saved_seconds=sum(saved) if saved else None,
        alike=count_both_models_agree(dropped, settings.comparison),
        agreement=None if settings.referenced else summarize_agreement(transcribed),
        speed=speed,
    )


def distributed(transcribed: pa.Table, models: dict[str, Role]) -> dict[str, Any]:
    """Return the fields of the report about how WER and doubt are distributed, and about slices.

    `models` has the roles of the models that are shown, by their names.
    """
    wers = {"selected hypothesis": "wer"} | {name: f"{role}_wer" for name, role in models.items()}
    doubts = {"all that are judged": "doubt"}
    histograms = {"wer": histogram(transcribed, wers, WER_EDGES), "doubt": histogram(transcribed, doubts, DOUBT_EDGES)}
    return {
        "distributions": {name: made for name, made in histograms.items() if made.counts},
        "slices": summarize_slices(transcribed),
    }


def references_in_doubt(rows: pa.Table, settings: Settings) -> dict[str, Any]:
    """Return the fields of the report about references that are probably wrong, or were."""
    dropped = rows_where(rows, "decision", "drop")
    fields: dict[str, Any] = {
        "proposals": count_utterances(dropped.filter(pc.is_valid(dropped["proposal"]))),
        "examples": dropped_examples(rows, settings.comparison),
        "doubtful": doubtful_examples(rows, settings.comparison),
    }
    if INPUT_TEXT in rows.schema.names:
        edited = pc.equal(rows["review"], "edit") if "review" in rows.schema.names else pa.scalar(False)
        relabelled = rows.filter(pc.and_not(pc.is_valid(rows[INPUT_TEXT]), pc.fill_null(edited, False)))
        if len(relabelled) or "review" not in rows.schema.names:
            count, kept = count_utterances(relabelled), len(rows_where(relabelled, "decision", "keep"))
            fields["relabelled"] = RelabelledCount(**count.model_dump(), kept=kept)
    if "review" in rows.schema.names:
        fields["reviewed"] = count_reviewed(rows)
    return fields


def count_reviewed(rows: pa.Table) -> ReviewedCount:
    """Count the rows that people decided about."""
    reviewed = rows.filter(pc.is_valid(rows["review"]))
    kinds, reviewers = count_values(reviewed["review"]), count_values(reviewed["reviewer"])
    return ReviewedCount(
        **count_utterances(reviewed).model_dump(),
        kept=kinds.get("keep", 0),
        dropped=kinds.get("drop", 0),
        edited=kinds.get("edit", 0),
        reviewers=dict(sorted(reviewers.items())),
    )


def summarize_ensemble(
    rows: pa.Table, manifest: ShardedManifest, speed: dict[Role, Throughput], settings: Ensemble
) -> Report:
    """Compute the report of an ensemble from all its filtered rows.

    Raises `CountMismatch` if rows were lost or duplicated.
    """
    transcribed = transcribed_rows(rows)
    wer = {"all": wer_distribution(transcribed), "kept": wer_distribution(rows_where(rows, "decision", "keep"))}
    return Report(
        **count_decisions(rows, manifest, settings.filter),
        **references_in_doubt(rows, settings),
        heard=summarize_heard(rows),
        **distributed(transcribed, {role: role for role in speed}),
        wer=wer | {role: wer_distribution(transcribed, role) for role in speed},
        languages=summarize_languages(rows, speed),
        agreement=summarize_agreement(transcribed),
        speed=speed,
    )
