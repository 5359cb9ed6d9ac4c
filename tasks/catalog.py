"""Which models there are: what is known of each (tasks/catalog.yaml), and a file of one's own in the same form."""

import difflib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.config import BadOption, Domain, Quality

KNOWN = Path(__file__).with_suffix(".yaml")

Family = Literal["ctc", "transducer", "hybrid", "multitask", "readings"]
"""How the engine reads a model (tasks/checkpoint.py)."""


class UnknownModel(Exception):
    """A name that no catalogue has."""

    exit_code = 2


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Protocol(Entry):
    """What a published figure was measured on, in which languages (none: in the model's own), and who says so."""

    words: str
    languages: tuple[str, ...] = ()
    source: str | None = None
    note: str | None = None


class Score(Entry):
    """A published word error rate (a fraction), and how many times faster than real time."""

    wer: float
    rtfx: float | None = None


class Licence(Entry):
    """What a licence allows, as far as it matters here."""

    words: str
    permissive: bool = False
    commercial: bool = True


class Model(Entry):
    """A checkpoint and what is known of it; null is unknown. `checkpoint` is what a run takes."""

    name: str
    checkpoint: str
    revision: str | None = None
    sha256: str | None = None
    listed: bool = False
    parameters: int | None = None
    decoder: str
    family: Family | None = None
    languages: tuple[str, ...]
    punctuation: bool | None = None
    timestamps: bool | None = None
    streaming: tuple[int, ...] = ()
    sample_rate: int = 16_000
    max_seconds: float | None = None
    max_seconds_local: float | None = None
    file_mb: float | None = None
    memory_gb: float | None = None
    licence: str | None = None
    scores: dict[str, Score] = {}
    note: str | None = None

    @property
    def place(self) -> str:
        """What a run takes for it, with its pin where one is known."""
        if self.sha256:
            return f"{self.checkpoint}@sha256:{self.sha256}"
        return f"{self.checkpoint}@{self.revision}" if self.revision else self.checkpoint

    @property
    def decodes(self) -> str:
        """How it makes text of sound; a hybrid's transducer is what reads."""
        return self.decoder.removeprefix("hybrid ").partition("+")[0].partition(" ")[0]

    @property
    def weights_gb(self) -> float | None:
        """What its parameters take in fp32, as it is loaded."""
        return self.parameters * 4 / 1e9 if self.parameters else None


class Pair(Entry):
    """A fast model and a better one of another kind, for what they are meant, and why these."""

    small: str
    large: str | None = None
    qualities: tuple[Quality, ...] = ("fastest", "balanced", "highest")
    domains: tuple[Domain, ...] = ()
    why: str


class Size(Entry):
    """What models of up to so many parameters take of a device, and the utterances of a batch by its gigabytes."""

    name: str
    parameters: int | None = None
    share: float
    cores: float
    memory_gb: float
    batch: dict[int, int]


class Meaning(Entry):
    """What a name of the guide means today, and why; whether it exists as it stands there."""

    means: str
    exists: bool = False
    why: str


class Catalog(Entry):
    """Models, and what to choose them by."""

    protocols: dict[str, Protocol] = {}
    models: tuple[Model, ...] = ()
    pairs: tuple[Pair, ...] = ()
    domains: dict[Domain, str] = {}
    sizes: tuple[Size, ...] = ()
    licences: dict[str, Licence] = {}
    guide: dict[str, Meaning] = {}

    @cached_property
    def names(self) -> dict[str, Model]:
        """The models by their names and by what a run takes for them."""
        return {name: model for model in self.models for name in (model.checkpoint, model.name)}

    def find(self, name: str) -> Model | None:
        """The model of a name, of a guide's name, or of a checkpoint with or without its pin."""
        bare = name.partition("@")[0]
        if bare in self.guide:
            return self.names[self.guide[bare].means]
        return self.names.get(bare)

    def get(self, name: str) -> Model:
        """The model of a name; raises with the nearest one where there is none."""
        if (model := self.find(name)) is None:
            near = difflib.get_close_matches(name, [*self.names, *self.guide], n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise UnknownModel(f"{name}: not in the catalogue{hint} (winnow models lists them)")
        return model

    def licence(self, model: Model) -> Licence | None:
        return self.licences.get(model.licence or "")

    def scores(self, model: Model, languages: Iterable[str]) -> dict[str, Score]:
        """A model's figures that say something of any of the languages; of no language in particular, all."""
        asked = set(languages)
        tested = {name: set(self.protocols[name].languages or model.languages) for name in model.scores}
        return {name: score for name, score in model.scores.items() if not asked or tested[name] & asked}

    def size(self, model: Model) -> Size:
        """The size that a model counts as; one of unknown size counts as large."""
        parameters = model.parameters or float("inf")
        return next(size for size in self.sizes if size.parameters is None or parameters <= size.parameters)

    def joined(self, own: "Catalog") -> "Catalog":
        """With one's own models and pairs before these."""
        return Catalog(
            protocols=self.protocols | own.protocols,
            models=(*own.models, *(model for model in self.models if model.name not in own.names)),
            pairs=(*own.pairs, *self.pairs),
            domains=self.domains | own.domains,
            sizes=own.sizes or self.sizes,
            licences=self.licences | own.licences,
            guide=self.guide | own.guide,
        )


def open_catalog(own: Path | None = None) -> Catalog:
    """What is known, and before it the file of one's own: the one given, or that of WINNOW_CATALOG."""
    known = parsed(KNOWN)
    if place := own or os.environ.get("WINNOW_CATALOG"):
        known = known.joined(parsed(Path(place)))
    check(known, Path(place or KNOWN))
    return known


def check(catalog: Catalog, file: Path) -> None:
    """Refuse names that nothing in the catalogue has."""
    for pair in catalog.pairs:
        for name in filter(None, (pair.small, pair.large)):
            if name not in catalog.names:
                raise BadOption(f"{file}: pairs: {name}: no model of this name")
    for model in catalog.models:
        if strange := model.scores.keys() - catalog.protocols:
            raise BadOption(f"{file}: models: {model.name}: scores: {min(strange)} is not among the protocols")


def parsed(file: Path) -> Catalog:
    """The catalogue in a file; checkpoints that are `.nemo` files start at its folder."""
    try:
        content: Any = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        found = Catalog.model_validate(content)
    except (OSError, yaml.YAMLError) as error:
        raise BadOption(f"{file}: no catalogue that can be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadOption(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    placed = [model.model_copy(update={"checkpoint": start(model.checkpoint, file)}) for model in found.models]
    return found.model_copy(update={"models": tuple(placed)})


def start(checkpoint: str, file: Path) -> str:
    is_file = checkpoint.endswith((".nemo", ".jsonl"))
    return str((file.parent / Path(checkpoint).expanduser()).absolute()) if is_file else checkpoint
