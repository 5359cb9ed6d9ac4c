"""Segment: recordings of any length become utterances."""

import sys
from pathlib import Path

from prefect import flow

from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.run_name import run_name
from flows.streaming import Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.assemble import assemble_segments
from tasks.cut import cut_shard
from tasks.load import load_shard
from tasks.place import place_shard
from tasks.shard import shard_manifest
from winnow.audio import voice_activity
from winnow.corpora.registry import corpus_of
from winnow.digests import sha256_of
from winnow.parameters.segment import Segment
from winnow.segmenting.before_start import check_segmentation
from winnow.segmenting.cuts import cut_options
from winnow.segmenting.record import SegmentReport, open_segmentation

SHARD_HOURS = 1.0  # of audio that is stated; a longer recording is a shard by itself


@flow(name="segment", flow_run_name=run_name("{manifest} to {output}"))
@with_parameters(Segment)
def segment(settings: Segment) -> SegmentReport:
    """Cut recordings of any length into utterances, as a manifest that `curate` takes."""
    return run_segmentation(settings, PrefectOrchestrator())


def run_segmentation(settings: Segment, orchestrator: Orchestrator) -> SegmentReport:
    """Cut each recording at its pauses, place its text, and write the manifest of segments."""
    check_segmentation(settings)
    digest = corpus_of(settings).digest()
    inputs = {"manifest": digest, "voice activity": sha256_of(voice_activity.weights())}
    options = cut_options(settings)
    with open_segmentation(settings, inputs, orchestrator.owner()) as output:
        read_as = settings.audio_folder, settings.referenced, settings.columns
        manifest = orchestrator.run(shard_manifest, settings.manifest, output, SHARD_HOURS, digest, *read_as)

        def submit(shard: Path) -> Futures:
            loaded = orchestrator.submit(load_shard, shard, settings.referenced)
            cut = orchestrator.submit(cut_shard, loaded, options, settings.audio_root)
            return [loaded, cut, orchestrator.submit(place_shard, cut, loaded)]

        step = Step(submit)
        stream(manifest.shards, step)
        loaded, cut, placed = (step.results(task) for task in range(3))
        report = orchestrator.run(assemble_segments, output, cut, placed, loaded)
        orchestrator.table(report.table, key="segments", description=f"What was cut into {output}.")
        return report


if __name__ == "__main__":
    from cli.app import main

    main(["segment", *sys.argv[1:]])
