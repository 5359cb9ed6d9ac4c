"""Transcribing: a pass reads the utterances of a shard that are its to read."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from tasks.retry import RETRY
from winnow.corpora.languages import row_languages
from winnow.devices.executors import Executor
from winnow.engines.engine import Request
from winnow.engines.inference import Result
from winnow.engines.isolation import Transcribed, transcribe_here, transcribe_isolated
from winnow.engines.model_cache import set_cache_size
from winnow.engines.registry import versions_for
from winnow.models.passes import Pass, rows_to_transcribe, transcribe_by_language
from winnow.parameters.engine import EngineOptions
from winnow.roles import Role, is_larger, position_of
from winnow.runs import ledger
from winnow.schema import AUDIO_STATS, HYPOTHESIS, after_transcribe, append_columns, replace_column

log = logging.getLogger("winnow")


def transcribe(
    shard: pa.Table, reader: Pass, listen: Callable[[list[Request]], Transcribed]
) -> tuple[pa.Table, ledger.Facts]:
    """Add what the model reads, and on the first pass what was measured in the audio.

    Audio that cannot be heard gets its reason, unless nothing depends on it; a duration that was not stated is filled
    in. What the model has read of a sample before is not read again.
    """
    mine = rows_to_transcribe(shard, reader.role) if is_larger(reader.role) else pc.is_null(shard["reason"])
    if again := f"{reader.role}_pred_text" in shard.schema.names:
        mine = pc.and_(mine, pc.is_null(shard[f"{reader.role}_pred_text"]))
    audit = set(pc.indices_nonzero(shard["audit"]).to_pylist()) if reader.role == "large" else set()
    todo = pc.indices_nonzero(mine).to_pylist()
    spoken = row_languages(shard["fields"].to_pylist()) if reader.by_language else [None] * len(shard)
    asked = {language: reader.reader(language) for language in set(spoken)}
    todo = [i for i in todo if asked[spoken[i]]]
    rows = shard.select(["path", "offset", "duration", "reason", "detail"]).to_pydict()
    answers: list[Result | None] = [None] * len(shard)
    spent: ledger.Facts = {}
    if todo:
        base = str(reader.root) if reader.root else None
        requests = [Request(rows["path"][i], rows["offset"][i], rows["duration"][i], base, spoken[i]) for i in todo]
        found, spent = listen(requests)
        for i, answer in zip(todo, found, strict=True):
            answers[i] = answer
            if i not in audit:
                rows["reason"][i], rows["detail"][i] = answer.reason, answer.detail
            if rows["duration"][i] is None and answer.stats:
                rows["duration"][i] = answer.stats.seconds
    first = "sample_rate" not in shard.schema.names
    for name in ("duration", "reason", "detail"):
        shard = replace_column(shard, name, rows[name])
    models = [
        one.name if answer and (one := asked[language]) else None
        for answer, language in zip(answers, spoken, strict=True)
    ]
    read = hypothesis_columns(answers, models)
    if again:
        return merge_sample(shard, reader.role, read), spent
    columns = (audio_columns(answers) if first else {}) | {f"{reader.role}_{name}": read[name] for name in HYPOTHESIS}
    return append_columns(shard, after_transcribe(shard.schema, reader.role), columns), spent


def merge_sample(shard: pa.Table, role: Role, read: dict[str, pa.Array]) -> pa.Table:
    """The shard with more of this model's readings beside those that it has of a sample."""
    new = pc.is_valid(read["model"])
    for name, column in read.items():
        shard = replace_column(shard, f"{role}_{name}", pc.if_else(new, column, shard[f"{role}_{name}"]))
    return shard


def audio_columns(answers: list[Result | None]) -> dict[str, pa.Array]:
    """The columns of AUDIO_STATS."""
    stats = [answer.stats if answer else None for answer in answers]
    names = {field.name: "seconds" if field.name == "measured_duration" else field.name for field in AUDIO_STATS}
    return {
        field.name: pa.array([getattr(one, names[field.name], None) for one in stats], field.type, from_pandas=True)
        for field in AUDIO_STATS
    }


def hypothesis_columns(answers: list[Result | None], models: list[str | None]) -> dict[str, pa.Array]:
    """The columns of HYPOTHESIS."""
    read = [asdict(answer.reading) if answer and answer.reading else {} for answer in answers]
    found = [reading | {"model": model} for reading, model in zip(read, models, strict=True)]
    columns = {name: [reading.get("text" if name == "pred_text" else name) for reading in found] for name in HYPOTHESIS}
    return {name: pa.array(columns[name], kind) for name, kind in HYPOTHESIS.items()}


def transcribe_files(shards: list[Path], reader: Pass, device: str, isolated: bool = False) -> ledger.Record:
    """The pass on shards on disk, where the device is; the model is loaded only if there is something to read.

    `isolated` is for what killed the process that read it: a process of its own does, and what kills that is found.
    """
    set_cache_size(max(2, position_of(reader.role)) * len(reader.checkpoints))  # of this pass and those before it
    listen = partial(transcribe_by_language, reader, transcribe_isolated if isolated else transcribe_here)

    def stage(table: pa.Table, **_: Any) -> tuple[pa.Table, ledger.Facts]:
        rows, spent = transcribe(table, reader, listen)
        return rows, spent | {"worker": device}

    settings = reader.options.model_dump(mode="json", exclude=EngineOptions.PERFORMANCE_ONLY)
    settings["versions"] = versions_for(reader.checkpoints) | {name: version(name) for name in ("soundfile", "soxr")}
    if reader.languages:
        settings["languages"] = {name: one.sha256 if one else None for name, one in reader.languages.items()}
    return ledger.run_stage(
        shards,
        f"transcribe-{reader.role}",
        stage,
        sha256=reader.checkpoint.sha256,
        root=reader.root and str(reader.root),
        **settings,
    )


def pass_summary(done: ledger.Record) -> str:
    """A finished pass in a line."""
    name, facts = f"{done['stage'].replace('-', ' ')} {done['shard']}", done["facts"]
    if not done["fresh"]:
        return f"{name}: already done"
    if not facts.get("audio_seconds"):
        return f"{name}: nothing to transcribe"
    pace = facts["audio_seconds"] / facts["seconds"]
    place = "" if facts["worker"] == "inline" else f" on {facts['worker']}"
    return (
        f"{name}{place}: {facts['utterances']:,.0f} utterances, {facts['audio_seconds'] / 3600:.3f} h, RTFx {pace:,.0f}"
    )


RETRY_WORKERS: Any = RETRY | {"retries": 6, "retry_delay_seconds": [1, 5, 15, 30, 30, 30]}
"""Workers die more than once in days."""


@task(task_run_name="transcribe {reader.role} {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY_WORKERS)
def transcribe_shard(shard: Path, reader: Pass, devices: Executor) -> Path:
    return run_pass([shard], reader, devices)[0]


def label() -> str:
    given = task_run.parameters
    names = [ledger.name_of(shard) for shard in given["shards"]]
    return f"transcribe {given['reader'].role} {names[0]}" + (f"-{names[-1]}" if len(names) > 1 else "")


@task(task_run_name=label, cache_policy=NO_CACHE, **RETRY_WORKERS)
def transcribe_shards(shards: list[Path], reader: Pass, devices: Executor) -> list[Path]:
    """The pass on shards with little to read each, in batches over all of them."""
    return run_pass(shards, reader, devices)


def run_pass(shards: list[Path], reader: Pass, devices: Executor) -> list[Path]:
    done = devices.run(transcribe_files, shards, reader, placement=reader.placement)
    log.info(pass_summary(done))
    return ledger.files_of(shards, done)
