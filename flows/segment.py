"""Segment: recordings of any length become utterances."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import flow

from flows.orchestrator import Orchestrator, PrefectOrchestrator
from flows.pipeline import ENDPOINT_SHARDS
from flows.run_name import run_name
from flows.streaming import LIGHT_TASKS, Futures, Step, stream
from flows.with_parameters import with_parameters
from tasks.ask import ask_shard
from tasks.assemble import assemble_segments
from tasks.attach import attach_shard
from tasks.cut import cut_shard
from tasks.load import load_shard
from tasks.place import place_shard
from tasks.shard import shard_manifest
from tasks.transcribe import transcribe_shard
from winnow.audio import voice_activity
from winnow.corpora.registry import corpus_of
from winnow.corpora.source import check_unchanged
from winnow.devices.executors import Executor, open_executor
from winnow.digests import sha256_of
from winnow.models.passes import Pass
from winnow.parameters.segment import Segment
from winnow.runs.command import command_of
from winnow.runs.storage import location
from winnow.segmenting.before_start import check_segmentation
from winnow.segmenting.cuts import cut_options
from winnow.segmenting.placing import PlaceOptions
from winnow.segmenting.reading import asking_pass, reading_pass
from winnow.segmenting.record import SegmentReport, open_segmentation

SHARD_HOURS = 1.0  # of audio that is stated; a longer recording is a shard by itself


@flow(name="segment", flow_run_name=run_name("{manifest} to {output}"))
@with_parameters(Segment)
def segment(settings: Segment) -> SegmentReport:
    """Cut recordings of any length into utterances, as a manifest that `curate` takes."""
    return run_segmentation(settings, PrefectOrchestrator())


def run_segmentation(settings: Segment, orchestrator: Orchestrator) -> SegmentReport:
    """Segment recordings; watch the server meanwhile."""
    orchestrator.watch(location(settings.output), command_of(settings)[1:])
    return segment_recordings(settings, orchestrator)


def segment_recordings(settings: Segment, orchestrator: Orchestrator) -> SegmentReport:
    """Cut each recording at its pauses, have a model read it, place its text, and write the manifest of segments.

    Where the place of a sentence is doubtful, the model is asked how likely it is there.
    """
    check_segmentation(settings)
    model_pass = reading_pass(settings.reading) if settings.reading else None
    questions = asking_pass(model_pass) if model_pass else None
    digest = corpus_of(settings).digest()
    inputs = {"manifest": digest, "voice activity": sha256_of(voice_activity.weights())}
    inputs |= {"model": model_pass.checkpoint.sha256} if model_pass else {}
    options = cut_options(settings)
    placing = PlaceOptions(normalizer=settings.normalizer, shortest=options.shortest)
    owner = orchestrator.owner(), orchestrator.mark_crashed
    with open_segmentation(settings, inputs, *owner) as output, open_devices(settings) as devices:
        read_as = settings.audio_folder, settings.referenced, settings.columns
        manifest = orchestrator.run(shard_manifest, settings.manifest, output, SHARD_HOURS, digest, *read_as)

        def submit(shard: Path) -> Futures:
            rows = orchestrator.submit(load_shard, shard, settings.referenced)
            loaded = orchestrator.submit(attach_shard, rows, shard, settings.audio_root, options.by_speaker)
            cut = orchestrator.submit(cut_shard, loaded, options, settings.audio_root)
            if model_pass is None:
                return [loaded, cut, orchestrator.submit(place_shard, cut, loaded, placing)]
            read = orchestrator.submit(transcribe_shard, cut, model_pass, devices)
            if questions is None:
                return [loaded, cut, read, orchestrator.submit(place_shard, read, loaded, placing)]
            asked = orchestrator.submit(ask_shard, read, loaded, placing)
            answered = orchestrator.submit(transcribe_shard, asked, questions, devices)
            return [
                loaded,
                cut,
                read,
                asked,
                answered,
                orchestrator.submit(place_shard, read, loaded, placing, answered),
            ]

        step = Step(submit, lambda: slots(model_pass, devices))
        stream(manifest.shards, step)
        check_unchanged(corpus_of(settings), digest)
        loaded, cut, placed = (step.results(task) for task in (0, 1, -1))
        report = orchestrator.run(assemble_segments, output, cut, placed, loaded, settings.ctm, settings.textgrids)
        orchestrator.table(report.table, key="segments", description=f"What was cut into {output}.")
        return report


@contextmanager
def open_devices(settings: Segment) -> Iterator[Executor | None]:
    """Open the devices of the model, if there is one."""
    if settings.reading is None:
        yield None
        return
    with open_executor(settings.reading) as devices:
        yield devices


def slots(model_pass: Pass | None, devices: Executor | None) -> int:
    """Return how many shards are in work: one more than there are devices, so that none of them waits."""
    if model_pass is None or devices is None:
        return LIGHT_TASKS
    return ENDPOINT_SHARDS if model_pass.elsewhere else devices.slots(model_pass.placement) + 1


if __name__ == "__main__":
    from cli.app import main

    main(["segment", *sys.argv[1:]])
