"""How a run ends: dataset, manifest of kept rows and report."""

from pathlib import Path

from flows.orchestrator import Orchestrator
from flows.pipeline import Pipeline
from flows.streaming import Step, stream
from tasks.deduplicate import deduplicate_run
from tasks.load import gather_fields
from tasks.publish import publish_file, publish_shard
from tasks.report import report_run
from winnow.corpora.registry import corpus_of
from winnow.corpora.source import check_unchanged
from winnow.evidence.calibration import Calibration
from winnow.gates.criteria import Gates
from winnow.reports.summary import Report
from winnow.reports.throughput import Passes
from winnow.runs.outputs import FILES


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
    check_unchanged(corpus_of(pipeline.settings), pipeline.digest)
    orchestrator, run = pipeline.orchestrator, pipeline.run
    filtered = orchestrator.run(deduplicate_run, filtered)
    published = publish(filtered, loaded, run, orchestrator)
    result = filtered, published, pipeline.manifest, passes, pipeline.settings, run, gates, calibration
    return orchestrator.run(report_run, *result, orchestrator)


def publish(filtered: list[Path], loaded: list[Path], run: Path, orchestrator: Orchestrator) -> list[Path]:
    """Write every form of output; return the files of the dataset."""
    fields = orchestrator.run(gather_fields, loaded)
    publication = Step(lambda shard: [orchestrator.submit(publish_shard, shard, fields)])
    stream(filtered, publication)
    for name in FILES:
        orchestrator.run(publish_file, name, filtered, fields, run)
    return publication.results()
