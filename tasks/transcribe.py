"""Transcribe: a pass adds the hypotheses of its model to a shard."""

import logging
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from tasks.retry import RETRY
from winnow.devices.executors import Executor
from winnow.models.passes import Pass
from winnow.models.transcription import transcribe_files
from winnow.runs import ledger
from winnow.runs.records import Record
from winnow.telemetry.instruments import count_attempt, count_pass

log = logging.getLogger("winnow")


def pass_summary(record: Record) -> str:
    """Describe a finished pass in one line."""
    name, facts = f"{record['stage'].replace('-', ' ')} {record['shard']}", record["facts"]
    if not record["fresh"]:
        return f"{name}: already done"
    if not facts.get("audio_seconds"):
        return f"{name}: nothing to transcribe"
    rtfx = facts["audio_seconds"] / facts["seconds"]
    worker = "" if facts["worker"] == "inline" else f" on {facts['worker']}"
    hours = facts["audio_seconds"] / 3600
    return f"{name}{worker}: {facts['utterances']:,.0f} utterances, {hours:.3f} h, RTFx {rtfx:,.0f}"


RETRY_WORKERS: Any = RETRY | {"retries": 6, "retry_delay_seconds": [1, 5, 15, 30, 30, 30]}
"""Over days, workers die more than once."""


@task(task_run_name="transcribe {model_pass.role} {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY_WORKERS)
def transcribe_shard(shard: Path, model_pass: Pass, devices: Executor) -> Path:
    return run_pass([shard], model_pass, devices)[0]


def task_label() -> str:
    parameters = task_run.parameters
    names = [ledger.name_of(shard) for shard in parameters["shards"]]
    return f"transcribe {parameters['model_pass'].role} {names[0]}" + (f"-{names[-1]}" if len(names) > 1 else "")


@task(task_run_name=task_label, cache_policy=NO_CACHE, **RETRY_WORKERS)
def transcribe_shards(shards: list[Path], model_pass: Pass, devices: Executor) -> list[Path]:
    """Run the pass on shards with little to transcribe each, in batches across all of them."""
    return run_pass(shards, model_pass, devices)


def run_pass(shards: list[Path], model_pass: Pass, devices: Executor) -> list[Path]:
    count_attempt(model_pass.role, task_run.run_count or 1)
    if model_pass.elsewhere:
        record = transcribe_files(shards, model_pass, device="inline")
    else:
        record = devices.run(transcribe_files, shards, model_pass, placement=model_pass.placement)
    log.info(pass_summary(record))
    count_pass(model_pass.role, record["fresh"], len(shards), record["facts"])
    return ledger.files_of(shards, record)
