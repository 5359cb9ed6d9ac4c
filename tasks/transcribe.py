"""Transcribe: a pass adds the hypotheses of its model to a shard."""

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
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
from winnow.audio.measurements import AudioStats
from winnow.devices.executors import Executor
from winnow.engines.engine import Request
from winnow.engines.inference import Result
from winnow.engines.isolation import Transcribed, transcribe_here, transcribe_isolated
from winnow.engines.model_cache import PROCESS_CACHE
from winnow.engines.registry import versions_for
from winnow.models.passes import Pass, rows_to_transcribe, transcribe_by_language
from winnow.parameters.engine import EngineOptions
from winnow.roles import Role, is_larger, position_of
from winnow.runs import ledger
from winnow.runs.records import Record
from winnow.schema import AUDIO_IDENTITY, AUDIO_STATS, HYPOTHESIS, after_transcribe, append_columns, replace_column
from winnow.text.languages import row_languages
from winnow.text.normalize import is_too_long

log = logging.getLogger("winnow")

REQUESTED = ("path", "offset", "audio_channel", "duration_rounding")
FILLED_IN = ("duration", "reason", "detail", "mended", "found_path")

TranscribeRequests = Callable[[list[Request]], Transcribed]


def transcribe(shard: pa.Table, model_pass: Pass, recognise: TranscribeRequests) -> tuple[pa.Table, ledger.Facts]:
    """Add the model's hypotheses, and on the first pass the measurements of the audio.

    Utterances without a hypothesis get a reason, unless they were only audited; a missing duration is filled in.
    Hypotheses that the model made of a sample before are kept.
    """
    role = model_pass.role
    selected = rows_to_transcribe(shard, role) if is_larger(role) else pc.is_null(shard["reason"])
    if sampled := f"{role}_pred_text" in shard.schema.names:
        selected = pc.and_(selected, pc.is_null(shard[f"{role}_pred_text"]))
    audited = set(pc.indices_nonzero(shard["audit"]).to_pylist()) if role == "large" else set()
    languages = row_languages(shard["fields"].to_pylist()) if model_pass.needs_language else [None] * len(shard)
    checkpoints = {language: model_pass.checkpoint_for(language) for language in set(languages)}
    indices = [i for i in pc.indices_nonzero(selected).to_pylist() if checkpoints[languages[i]]]
    first = AUDIO_IDENTITY not in shard.schema.names
    rows = shard.select([*REQUESTED, *FILLED_IN]).to_pydict()
    identities = [None] * len(shard) if first else shard[AUDIO_IDENTITY].to_pylist()
    results: list[Result | None] = [None] * len(shard)
    models: list[str | None] = [None] * len(shard)
    usage: ledger.Facts = {}
    if indices:
        root = str(model_pass.root) if model_pass.root else None
        requests = [
            Request(
                rows["path"][i],
                rows["offset"][i],
                rows["duration"][i],
                root,
                languages[i],
                identities[i],
                channel=rows["audio_channel"][i],
                rounding=rows["duration_rounding"][i] or 0.0,
            )
            for i in indices
        ]
        transcribed, usage = recognise(requests)
        for i, result in zip(indices, transcribed, strict=True):
            checkpoint = checkpoints[languages[i]]
            result = refuse_long(result)
            results[i], models[i] = result, checkpoint.name if checkpoint else None
            if i not in audited or result.reason == "AUDIO_CHANGED":  # then what was accepted is another audio's
                rows["reason"][i], rows["detail"][i] = result.reason, result.detail
            if rows["duration"][i] is None and result.stats:
                rows["duration"][i] = result.stats.seconds
            if result.mended:
                rows["mended"][i] = list(dict.fromkeys([*(rows["mended"][i] or ()), *result.mended]))
                rows["found_path"][i] = result.found
    for name in FILLED_IN:
        shard = replace_column(shard, name, rows[name])
    hypotheses = hypothesis_columns(results, models)
    if sampled:
        return merge_sample(shard, role, hypotheses), usage
    columns = (audio_columns(results) if first else {}) | {f"{role}_{name}": hypotheses[name] for name in HYPOTHESIS}
    return append_columns(shard, after_transcribe(shard.schema, role), columns), usage


def refuse_long(result: Result) -> Result:
    """Return the result, or a reason in its place if its text is too long to be compared."""
    if result.hypothesis is None or not is_too_long(result.hypothesis.text):
        return result
    detail = f"a hypothesis of {len(result.hypothesis.text):,} characters"
    return replace(result, hypothesis=None, reason="TEXT_TOO_LONG", detail=detail)


def merge_sample(shard: pa.Table, role: Role, hypotheses: dict[str, pa.Array]) -> pa.Table:
    """Add hypotheses to the columns that hold those of a sample already."""
    is_new = pc.is_valid(hypotheses["model"])
    for name, column in hypotheses.items():
        shard = replace_column(shard, f"{role}_{name}", pc.if_else(is_new, column, shard[f"{role}_{name}"]))
    return shard


def audio_columns(results: list[Result | None]) -> dict[str, pa.Array]:
    """Return the columns of AUDIO_STATS, and the identity of the audio."""
    stats = [(result and result.stats) or AudioStats() for result in results]
    columns = {
        field.name: pa.array([values.get(field.name) for values in stats], field.type, from_pandas=True)
        for field in AUDIO_STATS
    }
    return columns | {AUDIO_IDENTITY: pa.array([result and result.identity for result in results], pa.string())}


def hypothesis_columns(results: list[Result | None], models: list[str | None]) -> dict[str, pa.Array]:
    """Return the columns of HYPOTHESIS."""
    rows = [
        (asdict(result.hypothesis) if result and result.hypothesis else {}) | {"model": model}
        for result, model in zip(results, models, strict=True)
    ]
    fields = {name: "text" if name == "pred_text" else name for name in HYPOTHESIS}
    return {name: pa.array([row.get(fields[name]) for row in rows], kind) for name, kind in HYPOTHESIS.items()}


def transcribe_files(shards: list[Path], model_pass: Pass, device: str, isolated: bool = False) -> Record:
    """Run the pass on shards on disk; the model is loaded only if there is something to transcribe.

    With `isolated`, child processes transcribe, so that an utterance that kills its process costs no other utterance.
    """
    # the models of this pass and of those before it
    PROCESS_CACHE.reserve(max(2, position_of(model_pass.role)) * len(model_pass.checkpoints))
    recognise = partial(transcribe_by_language, model_pass, transcribe_isolated if isolated else transcribe_here)

    def stage(table: pa.Table, **_: Any) -> tuple[pa.Table, ledger.Facts]:
        rows, usage = transcribe(table, model_pass, recognise)
        return rows, usage | {"worker": device}

    audio_versions = {name: version(name) for name in ("av", "soundfile", "soxr")}
    settings = model_pass.options.model_dump(mode="json", exclude=EngineOptions.PERFORMANCE_ONLY)
    settings["versions"] = versions_for(model_pass.checkpoints) | audio_versions
    if model_pass.languages:
        settings["languages"] = {tag: model and model.sha256 for tag, model in model_pass.languages.items()}
    return ledger.run_stage(
        shards,
        f"transcribe-{model_pass.role}",
        stage,
        sha256=model_pass.checkpoint.sha256,
        root=model_pass.root and str(model_pass.root),
        **settings,
    )


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
    record = devices.run(transcribe_files, shards, model_pass, placement=model_pass.placement)
    log.info(pass_summary(record))
    return ledger.files_of(shards, record)
