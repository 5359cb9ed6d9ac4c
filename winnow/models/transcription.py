"""A pass over shards, as a device runs it: a worker needs none of Prefect, whose import takes as long as all others."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.cache import cache_root
from winnow.engines.call_progress import working_on
from winnow.engines.earlier import find_earlier, take_over
from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import Result
from winnow.engines.isolation import Transcribed, transcribe_here, transcribe_isolated
from winnow.engines.model_cache import PROCESS_CACHE
from winnow.engines.registry import engine_for, versions_for
from winnow.engines.scored_texts import texts_to_score
from winnow.engines.shard_columns import (
    FILLED_IN,
    audio_columns,
    fill_in,
    hypothesis_columns,
    merge_sample,
    requests_for,
)
from winnow.models.listening import Listening, audio_versions
from winnow.models.passes import Pass, TranscribeWith, rows_to_transcribe, transcribe_by_language
from winnow.parameters.engine import EngineOptions
from winnow.process_memory import limit_arenas, return_free_memory
from winnow.roles import Role, is_larger, position_of
from winnow.runs import ledger
from winnow.runs.records import Record
from winnow.runs.retry import PASS, earlier_rows
from winnow.runs.storage import is_local
from winnow.schema import AUDIO_IDENTITY, after_transcribe, append_columns
from winnow.text.languages import row_languages
from winnow.text.normalize import is_too_long

TranscribeRequests = Callable[[list[Request]], Transcribed]


def transcribe(
    shard: pa.Table,
    model_pass: Pass,
    recognise: TranscribeRequests,
    earlier: pa.Table | None = None,
    listening: Listening | None = None,
) -> tuple[pa.Table, ledger.Facts]:
    """Add the model's hypotheses, and on the first pass the measurements of the audio.

    Utterances without a hypothesis get a reason, unless they were only audited; a missing duration is filled in.
    Hypotheses that the model made of a sample before are kept, and so is what an earlier output of the pass says about
    the same requests. What `listening` lacks is measured in the same audio, and committed.
    """
    role = model_pass.role
    languages = languages_of(shard, model_pass)
    checkpoints = {language: model_pass.checkpoint_for(language) for language in set(languages)}
    selected = pc.indices_nonzero(rows_without_hypothesis(shard, role)).to_pylist()
    indices = [i for i in selected if checkpoints[languages[i]]]
    results: list[Result | None] = [None] * len(shard)
    models: list[str | None] = [None] * len(shard)
    usage: ledger.Facts = {}
    texts = texts_to_score(shard, role, model_pass.comparison, model_pass.options.evidence)
    missing = listening.missing if listening else ()
    ask = partial(requests_of, model_pass, measures=missing)
    known = find_earlier(earlier, shard, indices, role, ask) if earlier is not None else {}
    indices = [i for i in indices if i not in known]
    if indices:
        transcribed, usage = recognise(ask(shard, indices))
        for i, result in zip(indices, transcribed, strict=True):
            checkpoint = checkpoints[languages[i]]
            results[i], models[i] = refuse_long(result), checkpoint.name if checkpoint else None
    if listening:
        listening.commit(missing, [result and replace(result, reason=None, detail=None) for result in results])
    audited = set(pc.indices_nonzero(shard["audit"]).to_pylist()) if role == "large" else set()
    shard = fill_in(shard, results, audited)
    hypotheses = hypothesis_columns(results, models, texts)
    first = AUDIO_IDENTITY not in shard.schema.names
    measured = audio_columns(results) if first else {}
    columns = measured | {f"{role}_{name}": column for name, column in hypotheses.items()}
    if f"{role}_pred_text" in shard.schema.names:
        shard = merge_sample(shard, role, hypotheses)
    else:
        shard = append_columns(shard, after_transcribe(shard.schema, role), columns)
    if earlier is not None and known:
        shard, usage = take_over(shard, earlier, known, [*FILLED_IN, *columns]), usage | {"taken_over": len(known)}
    return shard, usage


def languages_of(shard: pa.Table, model_pass: Pass) -> list[str | None]:
    """Return the language of each row, if it changes how the pass transcribes."""
    return row_languages(shard["fields"].to_pylist()) if model_pass.needs_language else [None] * len(shard)


def requests_of(model_pass: Pass, shard: pa.Table, indices: list[int], measures: tuple[str, ...] = ()) -> list[Request]:
    """Return the requests of some rows of a shard, with these measures."""
    texts = texts_to_score(shard, model_pass.role, model_pass.comparison, model_pass.options.evidence)
    return requests_for(shard, indices, languages_of(shard, model_pass), model_pass.root, texts, measures)


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


def transcribe_for(run: Path, isolated: bool) -> TranscribeWith:
    """Return what transcribes for a run: models of endpoints always in this process, with the run's earlier answers."""
    with_model = transcribe_isolated if isolated else transcribe_here

    def transcribe_with(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
        if engine_for(checkpoint.name).elsewhere:
            return transcribe_here(checkpoint.model_copy(update={"path": answers_of(run)}), options, requests)
        return with_model(checkpoint, options, requests)

    return transcribe_with


def answers_of(run: Path) -> Path:
    """Return the database with the answers of endpoints to a run; of a run in a store, in this machine's cache."""
    folder = run / ledger.ANSWERS
    if not is_local(run):
        folder = cache_root() / "answers" / sha256(str(run).encode()).hexdigest()
    return folder / "endpoint.sqlite"


def transcribe_files(shards: list[Path], model_pass: Pass, device: str, isolated: bool = False) -> Record:
    """Run the pass on shards on disk; the model is loaded only if there is something to transcribe.

    With `isolated`, child processes transcribe, so that an utterance that kills its process costs no other utterance.
    """
    limit_arenas()
    AUDIO_CACHE.limit = model_pass.audio.cache_bytes
    # the models of this pass and of those before it
    PROCESS_CACHE.reserve(max(2, position_of(model_pass.role)) * len(model_pass.checkpoints))
    recognise = partial(transcribe_by_language, model_pass, transcribe_for(ledger.run_of(shards[0]), isolated))

    settings = model_pass.options.model_dump(mode="json", exclude=EngineOptions.PERFORMANCE_ONLY)
    settings["versions"] = versions_for(model_pass.checkpoints) | audio_versions()
    if model_pass.options.evidence:
        settings |= {"comparison": model_pass.comparison, "comparison_version": model_pass.comparison.version}
    if model_pass.languages:
        settings["languages"] = {tag: model and model.sha256 for tag, model in model_pass.languages.items()}
    settings |= {"sha256": model_pass.checkpoint.sha256, "root": model_pass.root}
    to, digest = f"{PASS}{model_pass.role}", ledger.key_of(settings)

    def stage(table: pa.Table, **_: Any) -> tuple[pa.Table, ledger.Facts]:
        earlier = earlier_rows(ledger.run_of(shards[0]), to, [ledger.name_of(shard) for shard in shards], digest)
        measuring = model_pass.measuring if earlier is None else None  # a retry decodes some rows only
        listening = Listening.of(shards[0], table, measuring) if measuring else None
        with working_on(model_pass.role, [ledger.name_of(shard) for shard in shards]):
            rows, usage = transcribe(table, model_pass, recognise, earlier, listening)
        return rows, usage | {"worker": device, "settings": digest}

    record = ledger.run_stage(shards, to, stage, **settings)
    return_free_memory()
    return record
