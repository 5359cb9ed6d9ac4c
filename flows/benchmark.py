"""Benchmark: the accuracy, speed and memory of models on a manifest and a machine of yours."""

import logging
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import cast

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from flows.run_name import run_name
from flows.with_parameters import with_parameters
from tasks.measure import measure_model
from winnow.benchmarking.comparison import batch_used, format_error_rate, render_benchmark
from winnow.benchmarking.figures import (
    BenchmarkFigures,
    ModelFigures,
    comparison_key,
    prepare_folder,
    read_previous,
    with_cost,
    write_figures,
)
from winnow.benchmarking.measurement import Measurement
from winnow.benchmarking.sample import draw_sample
from winnow.corpora.registry import corpus_of
from winnow.corpora.source import check_unchanged
from winnow.engines.engine import Checkpoint
from winnow.engines.registry import versions_for
from winnow.errors import MeasurementFailed
from winnow.models.resolve import resolve_all
from winnow.parameters.maintenance import Benchmark
from winnow.validation.before_start import check_benchmark
from winnow.validation.engine_options import check_options

log = logging.getLogger("winnow")
log.setLevel(logging.INFO)


@flow(name="benchmark", flow_run_name=run_name("{manifest}"), task_runner=ThreadPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]
@with_parameters(Benchmark)
def benchmark(settings: Benchmark) -> BenchmarkFigures:
    """Measure each model with each batch size, one after the other.

    Raises `MeasurementFailed` at the end if a model could not be measured; the figures of the others are written.
    """
    check_benchmark(settings)
    source = corpus_of(settings)
    manifest_sha256 = source.digest()
    checkpoints = list(resolve_all(settings.models, settings.trust_unpinned).values())
    check_options(settings.engine, checkpoints)
    prepare_folder(settings.output)
    sample = draw_sample(source, settings.hours)
    check_unchanged(source, manifest_sha256)
    measurement = Measurement(settings.engine, sample, settings.comparison)
    batches: Sequence[float | None] = settings.batch_seconds or [None]
    rows = [
        with_cost(measure_row(checkpoint, batch, measurement), settings.price)
        for checkpoint in checkpoints
        for batch in batches
    ]
    device = next((row.device for row in rows if row.device), "no device")
    figures = BenchmarkFigures(
        key=comparison_key(settings, manifest_sha256, checkpoints, device),
        when=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        manifest=str(settings.manifest),
        manifest_sha256=manifest_sha256,
        utterances=len(sample.requests),
        hours=sample.seconds / 3600,
        unusable=sample.unusable,
        device=device,
        versions={"winnow": version("winnow")} | versions_for(checkpoints),
        rows=rows,
    )
    text = render_benchmark(figures, read_previous(settings.output, figures.key))
    write_figures(settings.output, figures, text)
    create_markdown_artifact(text, key="benchmark", description="Accuracy, speed and memory of models")
    if any(row.failure for row in rows):
        raise MeasurementFailed(figures)
    return figures


def measure_row(checkpoint: Checkpoint, batch: float | None, measurement: Measurement) -> ModelFigures:
    """Measure a model in a separate task, and log its accuracy and speed."""
    future = measure_model.submit(checkpoint, batch, measurement.row)
    future.wait()
    row = cast(ModelFigures, future.state.result(raise_on_failure=False))
    if row.accuracy is None:
        log.info("%s, batch size %s: not measured: %s", row.model, batch_used(row), row.failure)
    else:
        figures = f"WER {format_error_rate(row.accuracy.wer)}, RTFx {row.rtfx:,.0f}"
        log.info("%s, batch size %s: %s", row.model, batch_used(row), figures)
    return row


if __name__ == "__main__":
    from cli.app import main

    main(["benchmark", *sys.argv[1:]])
