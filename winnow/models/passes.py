"""A pass: one model, or one model per language, transcribes the utterances that are its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, field_validator

from winnow.audio.remote.urls import is_url
from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import Result
from winnow.engines.isolation import Transcribed, merge_usage
from winnow.engines.registry import engine_for, needs_language
from winnow.errors import OptionError
from winnow.models.measuring import Measuring
from winnow.models.resolve import resolve_all
from winnow.parameters.audio import AudioOptions
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.ensemble import Settings
from winnow.parameters.placement import Placement
from winnow.roles import Role, band_of, previous_role
from winnow.runs.shard_files import read_schema, read_table
from winnow.text.comparison import BASIC, Comparison
from winnow.text.languages import match_language, name_for

TranscribeWith = Callable[[Checkpoint, EngineOptions, list[Request]], Transcribed]


class Pass(BaseModel, frozen=True):
    """One of a run's models, its options and its placement.

    `languages` maps languages to models of their own, or to None if this pass skips them; `checkpoint` transcribes all
    others. Audio must lie in the folder `root`, a path or URL, if there is one; `audio` says how it is fetched.
    References and readings are compared by `comparison`. `measuring` is done on the audio that it decodes.
    """

    role: Role
    checkpoint: Checkpoint
    languages: dict[str, Checkpoint | None] = {}
    options: EngineOptions
    comparison: Comparison = BASIC
    root: str | None = None
    audio: AudioOptions = AudioOptions()
    placement: Placement = Placement()
    measuring: Measuring | None = None

    @field_validator("root")
    @classmethod
    def make_root_absolute(cls, root: str | None) -> str | None:
        return root if root is None or is_url(root) else str(Path(root).absolute())

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Its models without repetition, the one for all other languages first; a file with two names counts once."""
        by_digest: dict[str, Checkpoint] = {}
        for checkpoint in filter(None, (self.checkpoint, *self.languages.values())):
            by_digest.setdefault(checkpoint.sha256, checkpoint)
        return list(by_digest.values())

    @property
    def skipped_languages(self) -> list[str]:
        """The languages that this pass does not transcribe."""
        return [language for language, checkpoint in self.languages.items() if checkpoint is None]

    @property
    def digests(self) -> dict[str, str | None]:
        """The sha256 of each model, by role and language."""
        digests: dict[str, str | None] = {self.role: self.checkpoint.sha256}
        for language, checkpoint in self.languages.items():
            digests[name_for(self.role, language)] = checkpoint.sha256 if checkpoint else None
        return digests

    @property
    def elsewhere(self) -> bool:
        """Whether other machines run all of its models, so that it needs no device."""
        return all(engine_for(checkpoint.name).elsewhere for checkpoint in self.checkpoints)

    @property
    def needs_language(self) -> bool:
        """Whether the language of a row changes how it is transcribed."""
        return bool(self.languages) or needs_language(self.checkpoints, self.options)

    def checkpoint_for(self, language: str | None) -> Checkpoint | None:
        """Return the model that transcribes a row of this language; None if the pass skips it."""
        name = match_language(language, self.languages)
        return self.languages[name] if name else self.checkpoint


def make_passes(settings: Curation) -> list[Pass]:
    """Return the passes of a cascade, the small model's first; extra models skip languages with models of their own."""
    checkpoints = resolve_all(settings.checkpoints, settings.trust_unpinned)
    passes = [make_pass(role, settings, checkpoints) for role in settings.roles[:2]]
    for role, name in zip(settings.roles[2:], settings.extra_models, strict=True):
        extra_pass = Pass(
            role=role,
            checkpoint=checkpoints[name],
            languages=dict.fromkeys(settings.languages),
            options=settings.engine,
            comparison=settings.comparison,
            root=settings.audio_root,
            audio=settings.audio,
            placement=settings.large_placement,
        )
        passes.append(extra_pass)
    check_distinct(passes)
    return passes


def judges_by_evidence(settings: Settings) -> bool:
    """Tell whether a run judges references by their doubt: a cascade whose small models can score them."""
    if not isinstance(settings, Curation) or not settings.wants_evidence:
        return False
    return any(engine_for(route.small).scores_texts for route in settings.routes.values())


def check_distinct(passes: list[Pass]) -> None:
    """Raise OptionError if a larger model is the same file as an earlier one, for any language."""
    for language in dict.fromkeys([None, *(language for model_pass in passes for language in model_pass.languages)]):
        earlier: dict[str, str] = {}
        for model_pass in passes:
            checkpoint = model_pass.checkpoint_for(language)
            if checkpoint and (same := earlier.setdefault(checkpoint.sha256, model_pass.role)) != model_pass.role:
                raise OptionError(
                    f"{checkpoint.name}: the {model_pass.role} model is the same file as the {same} one, and would "
                    "transcribe the same text again: choose another model"
                )


def make_pass(role: Role, settings: Curation, checkpoints: dict[str, Checkpoint]) -> Pass:
    """Return the pass of the small or the large model, whose checkpoints are given by name."""
    names: dict[str | None, str | None] = {tag: getattr(route, role) for tag, route in settings.routes.items()}
    return Pass(
        role=role,
        checkpoint=checkpoints[names.pop(None) or ""],
        languages={tag: checkpoints[name] if name else None for tag, name in names.items() if tag},
        options=settings.engine,
        comparison=settings.comparison,
        root=settings.audio_root,
        audio=settings.audio,
        placement=settings.small_placement if role == "small" else settings.large_placement,
    )


def rows_to_transcribe(rows: pa.Table, role: Role) -> pa.Array:
    """Return which rows a larger model transcribes [bool]: what the gate before it escalates, and what is audited."""
    band = band_of(previous_role(role))
    mask = pc.fill_null(pc.equal(rows[band], "escalate"), False) if band in rows.schema.names else False
    if role == "large":
        mask = pc.or_(mask, rows["audit"])
    return pc.and_(pc.is_null(rows["reason"]), mask)


def seconds_to_transcribe(shard: Path, role: Role) -> float:
    """Return how many seconds of a gated shard this larger model has to transcribe."""
    needed = {"reason", "duration", "audit", band_of(previous_role(role))}
    rows = read_table(shard, columns=[name for name in read_schema(shard).names if name in needed])
    return float(pc.sum(rows["duration"].filter(rows_to_transcribe(rows, role)), min_count=0).as_py())


def seconds_transcribed(shard: Path) -> float:
    """Return how many seconds of a shard a model that transcribes everything has transcribed."""
    rows = read_table(shard, columns=["reason", "duration"])
    return float(pc.sum(rows["duration"].filter(pc.is_null(rows["reason"])), min_count=0).as_py())


def transcribe_by_language(model_pass: Pass, transcribe: TranscribeWith, requests: list[Request]) -> Transcribed:
    """Transcribe each request with the model of its language.

    Returns a result for each request, in order, and the usage, under `models` by the sha256 of each model.
    """
    if not model_pass.languages:
        return transcribe(model_pass.checkpoint, model_pass.options, requests)
    indices_by_model: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        if checkpoint := model_pass.checkpoint_for(request.language):
            indices_by_model.setdefault(checkpoint.sha256, []).append(index)
    results: dict[int, Result] = {}
    usage: dict[str, dict[str, Any]] = {}
    for checkpoint in model_pass.checkpoints:
        if indices := indices_by_model.get(checkpoint.sha256):
            own, usage[checkpoint.sha256] = transcribe(checkpoint, model_pass.options, [requests[i] for i in indices])
            results |= zip(indices, own, strict=True)
    return [results[i] for i in range(len(requests))], merge_usage(list(usage.values())) | {"models": usage}
