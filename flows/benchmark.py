"""Benchmark: how right, how fast and how large models are, on a manifest and a machine of one's own."""

import logging
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import cast

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from flows.with_parameters import with_parameters
from tasks.measure import measure_model
from winnow.benchmarking.comparison import batch_used, format_interval, render_benchmark
from winnow.benchmarking.figures import Figures, ModelFigures, comparison_key, prepare_folder, read_last, write_figures
from winnow.benchmarking.measurement import Measurement
from winnow.benchmarking.sample import draw_sample
from winnow.corpora.registry import open_source
from winnow.engines.engine import Checkpoint
from winnow.engines.registry import versions_for
from winnow.errors import MeasurementFailed
from winnow.models.resolve import resolve
from winnow.parameters.maintenance import Benchmark
from winnow.validation.engine_options import check_options

log = logging.getLogger("winnow")
log.setLevel(logging.INFO)


@flow(name="benchmark", flow_run_name="{manifest.name}", task_runner=ThreadPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]
@with_parameters(Benchmark)
def benchmark(settings: Benchmark) -> Figures:
    """The figures of each model with each size of batches, one after the other; one that fails stops no other."""
    content = open_source(settings.manifest).digest()
    checkpoints = [resolve(name, settings.trust_unpinned) for name in dict.fromkeys(settings.models)]
    check_options(settings.engine, checkpoints)
    prepare_folder(settings.output)
    drawn = draw_sample(settings.manifest, settings.relative_to or settings.manifest.parent, settings.hours)
    measuring = Measurement(settings.engine, drawn, settings.normalizer)
    batches: Sequence[float | None] = settings.batch_seconds or [None]
    rows = [measure_row(checkpoint, seconds, measuring) for checkpoint in checkpoints for seconds in batches]
    device = next((row.device for row in rows if row.device), "no device")
    now = Figures(
        key=comparison_key(settings, content, checkpoints, device),
        when=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        manifest=str(settings.manifest),
        manifest_sha256=content,
        utterances=len(drawn.requests),
        hours=drawn.seconds / 3600,
        unusable=drawn.unusable,
        device=device,
        versions={"winnow": version("winnow")} | versions_for(checkpoints),
        rows=rows,
    )
    text = render_benchmark(now, read_last(settings.output, now.key))
    write_figures(settings.output, now, text)
    create_markdown_artifact(text, key="benchmark", description="Models measured on a manifest")
    if any(row.failure for row in rows):
        raise MeasurementFailed(now)
    return now


def measure_row(checkpoint: Checkpoint, seconds: float | None, measuring: Measurement) -> ModelFigures:
    """A row of the tables, from a task of its own."""
    future = measure_model.submit(checkpoint, seconds, measuring.row)
    future.wait()
    row = cast(ModelFigures, future.state.result(raise_on_failure=False))
    if row.accuracy is None:
        log.info("%s, batches of %s: not measured: %s", row.model, batch_used(row), row.failure)
    else:
        said = f"WER {format_interval(row.accuracy.wer)}, RTFx {row.rtfx:,.0f}"
        log.info("%s, batches of %s: %s", row.model, batch_used(row), said)
    return row


if __name__ == "__main__":
    from cli.app import main

    main(["benchmark", *sys.argv[1:]])
