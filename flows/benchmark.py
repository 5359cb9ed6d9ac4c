"""Benchmark: how right, how fast and how large models are, on a manifest and a machine of one's own."""

import logging
import sys
import time
from importlib.metadata import version

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import taking
from tasks.checkpoints.checkpoint import Checkpoint, check_options, resolve
from tasks.manifest import digest
from tasks.measure import Measuring, measure_model
from tasks.parameters.upkeep import Benchmark
from tasks.trials.comparison import batch, interval, markdown
from tasks.trials.figures import Figures, Measured, Unmeasured, keep, key_of, last, prepare
from tasks.trials.sample import sample

log = logging.getLogger("winnow")
log.setLevel(logging.INFO)


@flow(name="benchmark", flow_run_name="{manifest.name}", task_runner=ThreadPoolTaskRunner(max_workers=1))
@taking(Benchmark)
def benchmark(settings: Benchmark) -> Figures:
    """The figures of each model with each size of batches, one after the other; one that fails stops no other."""
    content = digest(settings.manifest)
    checkpoints = [resolve(name, settings.trust_unpinned) for name in dict.fromkeys(settings.models)]
    check_options(settings.engine, checkpoints)
    prepare(settings.output)
    drawn = sample(settings.manifest, settings.relative_to or settings.manifest.parent, settings.hours)
    measuring = Measuring(settings.engine, drawn, settings.normalizer)
    rows = [
        measured(checkpoint, seconds, measuring)
        for checkpoint in checkpoints
        for seconds in settings.batch_seconds or [None]
    ]
    device = next((row.device for row in rows if row.device), "no device")
    now = Figures(
        key=key_of(settings, content, checkpoints, device),
        when=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        manifest=str(settings.manifest),
        manifest_sha256=content,
        utterances=len(drawn.requests),
        hours=drawn.seconds / 3600,
        unusable=drawn.unusable,
        device=device,
        versions={name: version(name) for name in ("winnow", "nemo_toolkit", "torch")},
        rows=rows,
    )
    text = markdown(now, last(settings.output, now.key))
    keep(settings.output, now, text)
    create_markdown_artifact(text, key="benchmark", description="Models measured on a manifest")
    if any(row.failure for row in rows):
        raise Unmeasured(now)
    return now


def measured(checkpoint: Checkpoint, seconds: float | None, measuring: Measuring) -> Measured:
    """A row of the tables, from a task of its own."""
    future = measure_model.submit(checkpoint, seconds, measuring.row)
    future.wait()
    row: Measured = future.state.result(raise_on_failure=False)
    if row.accuracy is None:
        log.info("%s, batches of %s: not measured: %s", row.model, batch(row), row.failure)
    else:
        said = f"WER {interval(row.accuracy.wer)}, {row.x_real_time:,.0f} x real time"
        log.info("%s, batches of %s: %s", row.model, batch(row), said)
    return row


if __name__ == "__main__":
    from flows.cli import main

    main(["benchmark", *sys.argv[1:]])
