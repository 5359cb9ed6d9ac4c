"""How a run ends: dataset, manifest of kept rows and report."""

from collections.abc import Sequence
from pathlib import Path

from flows.orchestrator import Orchestrator
from flows.pipeline import Pipeline, count_duplicates
from flows.streaming import Futures, Step, stream
from tasks.deduplicate import deduplicate_run
from tasks.filter import filter_shard
from tasks.load import gather_fields
from tasks.publish import publish_file, publish_shard
from tasks.report import report_derived_run, report_run
from winnow.corpora.registry import open_source
from winnow.corpora.source import check_unchanged
from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.parameters.ensemble import Settings
from winnow.reports.derived import calibration_of
from winnow.reports.summary import Report
from winnow.reports.throughput import Passes
from winnow.runs.ledger import name_of
from winnow.runs.outputs import FILES
from winnow.runs.reuse import sharded_manifest
from winnow.validation.rules import rules_for


def finalize(
    pipeline: Pipeline,
    filtered: list[Path],
    loaded: list[Path],
    passes: Passes,
    gates: Gates | None = None,
    calibration: Calibration | None = None,
) -> Report:
    """Publish the filtered shards and report on the run.

    `loaded` are the shards as they were read from the manifest, `gates` the limits of a cascade's first gate,
    `calibration` what planted errors tell. Raises ManifestError if the manifest has changed since the run began: lines
    may have been added that it has not read.
    """
    check_unchanged(open_source(pipeline.settings.manifest), pipeline.digest)
    orchestrator, run = pipeline.orchestrator, pipeline.run
    filtered = orchestrator.run(deduplicate_run, filtered)
    published = publish(filtered, loaded, run, orchestrator)
    result = filtered, published, pipeline.manifest, passes, pipeline.settings, run, gates, calibration
    return orchestrator.run(report_run, *result, orchestrator)


def finalize_derived(
    scored: list[Path],
    loaded: list[Path],
    original: Path,
    settings: Settings,
    run: Path,
    orchestrator: Orchestrator,
    relabelled: Sequence[Path] = (),
) -> Report:
    """Judge scored shards that a run has from the run in `original`, publish them and report on them.

    `relabelled` are the shards with the references of the run, if they are not those of the manifest.
    """
    calibration = calibration_of(original, settings)
    rules = rules_for(settings, calibration)
    duplicates = count_duplicates(rules, loaded, settings.normalizer, orchestrator, relabelled)

    def decide(shard: Path) -> Futures:
        copies = duplicates.get(name_of(shard))
        return [orchestrator.submit(filter_shard, shard, rules, settings.comparison, copies)]

    decisions = Step(decide)
    stream(scored, decisions)
    filtered = orchestrator.run(deduplicate_run, decisions.results())
    published = publish(filtered, loaded, run, orchestrator)
    result = filtered, published, sharded_manifest(run), original, settings, run, calibration
    return orchestrator.run(report_derived_run, *result, orchestrator)


def publish(filtered: list[Path], loaded: list[Path], run: Path, orchestrator: Orchestrator) -> list[Path]:
    """Write every form of output; return the files of the dataset."""
    fields = orchestrator.run(gather_fields, loaded)
    publication = Step(lambda shard: [orchestrator.submit(publish_shard, shard, fields)])
    stream(filtered, publication)
    for name in FILES:
        orchestrator.run(publish_file, name, filtered, fields, run)
    return publication.results()
