"""A pass: one model reads the utterances that are its to read."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import ledger
from tasks.checkpoint import Checkpoint
from tasks.config import Engine
from tasks.devices import Devices
from tasks.engine import hear
from tasks.recogniser import Recogniser, Request, resident
from tasks.retry import RETRY
from tasks.schema import Role, append, heard, replaced

log = logging.getLogger("winnow")


def transcribe(
    shard: pa.Table, role: Role, recogniser: Callable[[], Recogniser], options: Engine
) -> tuple[pa.Table, dict[str, float]]:
    """Add what the model reads; audio that cannot be heard gets its reason, an unstated duration is filled in."""
    mine = pc.is_null(shard["reason"])
    if role == "large":
        mine = pc.and_(mine, pc.fill_null(pc.equal(shard["band"], "escalate"), False))
    todo = pc.indices_nonzero(mine).to_pylist()
    rows = shard.select(["path", "offset", "duration", "reason"]).to_pydict()
    texts: list[str | None] = [None] * len(shard)
    spent: dict[str, float] = {}
    if todo:
        requests = [Request(rows["path"][i], rows["offset"][i], rows["duration"][i]) for i in todo]
        answers, spent = hear(recogniser(), requests, options)
        for i, answer in zip(todo, answers, strict=True):
            texts[i], rows["reason"][i] = answer.text, answer.reason
            if rows["duration"][i] is None:
                rows["duration"][i] = answer.seconds
    for name in ("duration", "reason"):
        shard = replaced(shard, name, rows[name])
    return append(shard, heard(shard.schema, role), pa.array(texts, pa.string())), spent


def transcribe_file(shard: Path, to: Role, checkpoint: Checkpoint, options: Engine) -> ledger.Record:
    """The pass on one shard on disk, where the device is; the model is loaded only if there is something to read."""
    load = partial(resident, checkpoint, options.branch, options.max_seconds)

    def stage(table: pa.Table, **_: Any) -> tuple[pa.Table, ledger.Facts]:
        return transcribe(table, to, load, options)

    return ledger.work(
        shard, to, stage, sha256=checkpoint.sha256, branch=options.branch, max_seconds=options.max_seconds
    )


def summary(done: ledger.Record) -> str:
    """A finished pass in a line."""
    name, facts = f"{done['stage']} pass {done['shard']}", done["facts"]
    if not done["fresh"]:
        return f"{name}: already done"
    if not facts.get("audio_seconds"):
        return f"{name}: nothing to read"
    pace = facts["audio_seconds"] / facts["seconds"]
    return (
        f"{name}: {facts['utterances']:,.0f} utterances, {facts['audio_seconds'] / 3600:.3f} h, {pace:,.0f} x real time"
    )


@task(task_run_name="{to} pass {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def transcribe_shard(shard: Path, to: Role, checkpoint: Checkpoint, options: Engine, devices: Devices) -> Path:
    done = devices.run(transcribe_file, shard, to, checkpoint, options)
    log.info(summary(done))
    return ledger.only_file(shard, done)
