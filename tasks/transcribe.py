"""Transcribe: a pass adds the hypotheses of its model to a shard."""

import logging
from collections.abc import Callable
from dataclasses import replace
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
from winnow.devices.executors import Executor
from winnow.engines.engine import Request
from winnow.engines.inference import Result
from winnow.engines.isolation import Transcribed, transcribe_here, transcribe_isolated
from winnow.engines.model_cache import PROCESS_CACHE
from winnow.engines.registry import versions_for
from winnow.engines.scored_texts import texts_to_score
from winnow.engines.shard_columns import audio_columns, fill_in, hypothesis_columns, merge_sample, requests_for
from winnow.models.passes import Pass, rows_to_transcribe, transcribe_by_language
from winnow.parameters.engine import EngineOptions
from winnow.roles import Role, is_larger, position_of
from winnow.runs import ledger
from winnow.runs.records import Record
from winnow.schema import AUDIO_IDENTITY, after_transcribe, append_columns
from winnow.text.languages import row_languages
from winnow.text.normalize import is_too_long

log = logging.getLogger("winnow")

TranscribeRequests = Callable[[list[Request]], Transcribed]


def transcribe(shard: pa.Table, model_pass: Pass, recognise: TranscribeRequests) -> tuple[pa.Table, ledger.Facts]:
    """Add the model's hypotheses, and on the first pass the measurements of the audio.

    Utterances without a hypothesis get a reason, unless they were only audited; a missing duration is filled in.
    Hypotheses that the model made of a sample before are kept.
    """
    role = model_pass.role
    languages = row_languages(shard["fields"].to_pylist()) if model_pass.needs_language else [None] * len(shard)
    checkpoints = {language: model_pass.checkpoint_for(language) for language in set(languages)}
    selected = pc.indices_nonzero(rows_without_hypothesis(shard, role)).to_pylist()
    indices = [i for i in selected if checkpoints[languages[i]]]
    results: list[Result | None] = [None] * len(shard)
    models: list[str | None] = [None] * len(shard)
    usage: ledger.Facts = {}
    texts = texts_to_score(shard, role, model_pass.comparison, model_pass.options.evidence)
    if indices:
        transcribed, usage = recognise(requests_for(shard, indices, languages, model_pass.root, texts))
        for i, result in zip(indices, transcribed, strict=True):
            checkpoint = checkpoints[languages[i]]
            results[i], models[i] = refuse_long(result), checkpoint.name if checkpoint else None
    audited = set(pc.indices_nonzero(shard["audit"]).to_pylist()) if role == "large" else set()
    shard = fill_in(shard, results, audited)
    hypotheses = hypothesis_columns(results, models, texts)
    if f"{role}_pred_text" in shard.schema.names:
        return merge_sample(shard, role, hypotheses), usage
    first = AUDIO_IDENTITY not in shard.schema.names
    columns = (audio_columns(results) if first else {}) | {
        f"{role}_{name}": column for name, column in hypotheses.items()
    }
    return append_columns(shard, after_transcribe(shard.schema, role), columns), usage


def rows_without_hypothesis(shard: pa.Table, role: Role) -> pa.Array:
    """Return which rows a model has to transcribe [bool]; not those that it has transcribed as a sample."""
    selected = rows_to_transcribe(shard, role) if is_larger(role) else pc.is_null(shard["reason"])
    if (sample := f"{role}_pred_text") in shard.schema.names:
        selected = pc.and_(selected, pc.is_null(shard[sample]))
    return selected


def refuse_long(result: Result) -> Result:
    """Return the result, or a reason in its place if its text is too long to be compared."""
    if result.hypothesis is None or not is_too_long(result.hypothesis.text):
        return result
    detail = f"a hypothesis of {len(result.hypothesis.text):,} characters"
    return replace(result, hypothesis=None, reason="TEXT_TOO_LONG", detail=detail)


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
    if model_pass.options.evidence:
        settings |= {"comparison": model_pass.comparison, "comparison_version": model_pass.comparison.version}
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
