"""Curate: transcribe a manifest with a small model, the doubtful rest with a large one, and keep what agrees."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect import flow, unmapped
from prefect.futures import PrefectFuture, as_completed, wait
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import taking
from flows.watch import bury, this_run, watch
from tasks.cascade import gate_shard
from tasks.checkpoint import check_options, resolve
from tasks.config import Curation
from tasks.devices import open_devices
from tasks.filter import judge_shard
from tasks.manifest import digest, split_manifest
from tasks.output import open_run
from tasks.publish import publish_shard, write_manifest
from tasks.quality import Report
from tasks.quarantine import check_budget
from tasks.read import gather_fields, read_shard
from tasks.report import report_run
from tasks.score import score_shard
from tasks.transcribe import Pass, transcribe_shard

logging.getLogger("winnow").setLevel(logging.INFO)  # wherever the flow runs, its log says how the passes go


@flow(
    name="curate",
    flow_run_name="{manifest.name} to {output}",
    task_runner=ThreadPoolTaskRunner(max_workers=4),
)
@taking(Curation)
def curate(settings: Curation) -> Report:
    """Manifest to shards, their rows, small pass, gate, large pass on the escalated, rules, dataset and report."""
    digests = {"manifest": digest(settings.manifest)}
    small = resolve(settings.small, settings.trust_unpinned)
    large = resolve(settings.large, settings.trust_unpinned) if settings.large else None
    check_options(settings.engine, [small, large] if large else [small])
    digests |= {"small": small.sha256, "large": large and large.sha256}
    how = {"options": settings.engine, "root": settings.audio_root}

    with open_run(settings, digests, this_run(), died=bury) as run, open_devices(settings.devices) as pool:
        watch(run)
        devices = unmapped(pool)
        manifest = split_manifest(settings.manifest, run, settings.shard_hours, settings.audio_root)
        rows = read_shard.map(manifest.shards)

        first = Pass(role="small", checkpoint=small, **how)
        heard = transcribe_shard.map(rows, unmapped(first), devices)
        scored = score_shard.map(heard, "small", settings.normalizer)
        passes = {"small": (small, heard)}

        if large:
            gated = gate_shard.map(scored, unmapped(settings.bands))
            second = Pass(role="large", checkpoint=large, **how)
            heard = transcribe_shard.map(gated, unmapped(second), devices)
            scored = score_shard.map(heard, "large", settings.normalizer)
            passes["large"] = (large, heard)

        judged = judge_shard.map(scored, unmapped(settings.filter))
        settle(*rows)
        check_budget(finished(passes["small"][1]), manifest.lines - manifest.blank, settings.max_quarantined)
        check_budget(finished(judged), manifest.lines - manifest.blank, settings.max_quarantined)
        fields = gather_fields(rows)
        published = publish_shard.map(judged, unmapped(fields))
        settle(*(future for _, futures in passes.values() for future in futures), *scored, *judged, *published)
        write_manifest(judged, fields, run)
        return report_run(judged, published, manifest, passes, settings, run)


def finished(futures: list[PrefectFuture[Path]]) -> Iterator[Path]:
    """The results of those that succeed, as they come."""
    for future in as_completed(futures):
        try:
            result = future.result()
        except Exception:  # settle raises it
            continue
        yield result


def settle(*futures: PrefectFuture[Any]) -> None:
    """Wait for all tasks; if some failed, raise the error of the one that was first in the pipeline."""
    wait(list(futures))
    for future in futures:
        future.result()


if __name__ == "__main__":
    from flows.cli import main

    main(["curate", *sys.argv[1:]])
