"""A pass: which model transcribes which utterances."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, field_validator

from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import Result
from winnow.engines.isolation import Transcribed, merge_facts
from winnow.engines.registry import engine_for
from winnow.models.resolve import resolve
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.placement import Placement
from winnow.roles import Role, band_of, previous_role
from winnow.text.languages import match_language

TranscribeCheckpoint = Callable[[Checkpoint, EngineOptions, list[Request]], Transcribed]


class Pass(BaseModel, frozen=True):
    """One of a run's models, how it reads and where; audio lies in `root`, where there is one.

    `languages` have models of their own; one that has none here is not read in this pass.
    """

    role: Role
    checkpoint: Checkpoint
    languages: dict[str, Checkpoint | None] = {}
    options: EngineOptions
    root: Path | None = None
    placement: Placement = Placement()

    @field_validator("root")
    @classmethod
    def the_same_from_anywhere(cls, root: Path | None) -> Path | None:
        return root and root.absolute()

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Each of its models once, the one for all other languages first; the same file by two names is one."""
        found: dict[str, Checkpoint] = {}
        for one in filter(None, (self.checkpoint, *self.languages.values())):
            found.setdefault(one.sha256, one)
        return list(found.values())

    @property
    def unread(self) -> list[str]:
        """The languages that no model reads in this pass."""
        return [language for language, one in self.languages.items() if one is None]

    @property
    def digests(self) -> dict[str, str | None]:
        """The sha256 of each model, by what it reads."""
        found: dict[str, str | None] = {self.role: self.checkpoint.sha256}
        return found | {f"{self.role} for {name}": one.sha256 if one else None for name, one in self.languages.items()}

    @property
    def by_language(self) -> bool:
        """Whether a row's language changes how it is read."""
        prompts = {engine_for(one.name).language_prompt(one.family) for one in self.checkpoints}
        return bool(self.languages) or (prompts != {"none"} and self.options.language is None)

    def reader(self, language: str | None) -> Checkpoint | None:
        """Which model reads a row of this language."""
        name = match_language(language, self.languages)
        return self.languages[name] if name else self.checkpoint


def make_passes(settings: Curation) -> list[Pass]:
    """The passes of a cascade, from the small model's on; what has models of its own is not for further ones."""
    first = [make_pass(role, settings) for role in settings.roles[:2]]
    how: dict[str, Any] = {
        "options": settings.engine,
        "root": settings.audio_root,
        "placement": settings.large_placement,
    }
    how["languages"] = dict.fromkeys(settings.languages)
    further = zip(settings.roles[2:], settings.extra_models, strict=True)
    return first + [Pass(role=role, checkpoint=resolve(name, settings.trust_unpinned), **how) for role, name in further]


def rows_to_transcribe(rows: pa.Table, role: Role) -> pa.Array:
    """Which rows this larger model is asked for: what the gate before it escalates, and what is audited."""
    band = band_of(previous_role(role))
    asked = pc.fill_null(pc.equal(rows[band], "escalate"), False) if band in rows.schema.names else False
    if role == "large":
        asked = pc.or_(asked, rows["audit"])
    return pc.and_(pc.is_null(rows["reason"]), asked)


def make_pass(role: Role, settings: Curation) -> Pass:
    """A pass as the parameters have it, with its checkpoints fit to be opened."""
    names: dict[str | None, str | None] = {one: getattr(route, role) for one, route in settings.routes.items()}
    found = {name: resolve(name, settings.trust_unpinned) for name in dict.fromkeys(filter(None, names.values()))}
    return Pass(
        role=role,
        checkpoint=found[names.pop(None) or ""],
        languages={one: found[name] if name else None for one, name in names.items() if one},
        options=settings.engine,
        root=settings.audio_root,
        placement=settings.small_placement if role == "small" else settings.large_placement,
    )


def transcribe_by_language(reader: Pass, listen: TranscribeCheckpoint, requests: list[Request]) -> Transcribed:
    """An answer for each request, by the model of its language; what each of the models took is in `readers`."""
    if not reader.languages:
        return listen(reader.checkpoint, reader.options, requests)
    mine: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        if checkpoint := reader.reader(request.language):
            mine.setdefault(checkpoint.sha256, []).append(index)
    answers: dict[int, Result] = {}
    spent = {}
    for one in reader.checkpoints:
        if indices := mine.get(one.sha256):
            found, spent[one.sha256] = listen(one, reader.options, [requests[i] for i in indices])
            answers |= zip(indices, found, strict=True)
    return [answers[i] for i in range(len(requests))], merge_facts(list(spent.values())) | {"readers": spent}
