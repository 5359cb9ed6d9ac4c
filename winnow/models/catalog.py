"""Which models there are: what is known of each (catalog.yaml), and a file of one's own in the same form."""

import difflib
import os
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from winnow.engines.registry import engine_for, is_path
from winnow.errors import CheckpointError, OptionError, UnknownModel
from winnow.models.catalog_schema import GuideName, Licence, Model, ModelPair, ResourceProfile, Score, ScoreProtocol
from winnow.parameters.selection import Domain

BUILT_IN = Path(__file__).with_suffix(".yaml")


class Catalog(BaseModel, frozen=True, extra="forbid"):
    """Models, and what to choose them by."""

    protocols: dict[str, ScoreProtocol] = {}
    models: tuple[Model, ...] = ()
    pairs: tuple[ModelPair, ...] = ()
    domains: dict[Domain, str] = {}
    sizes: tuple[ResourceProfile, ...] = ()
    licences: dict[str, Licence] = {}
    guide: dict[str, GuideName] = {}

    @cached_property
    def names(self) -> dict[str, Model]:
        """The models by their names and by what a run takes for them."""
        return {name: model for model in self.models for name in (model.checkpoint, model.name)}

    def find(self, name: str) -> Model | None:
        """The model of a name, of a guide's name, or of a checkpoint with or without its pin."""
        bare = name.partition("@")[0]
        if meaning := self.meaning(bare):
            return self.names[meaning.means]
        return self.names.get(bare)

    def meaning(self, name: str) -> GuideName | None:
        """What a name of the guide means, which may be without the `nvidia/` before it unless a model is called so."""
        bare = name.partition("@")[0]
        return self.guide.get(bare) or (None if bare in self.names else self.guide.get(f"nvidia/{bare}"))

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
        asked = {language.partition("-")[0] for language in languages}
        tested = {name: set(self.protocols[name].languages or model.languages) for name in model.scores}
        return {name: score for name, score in model.scores.items() if not asked or tested[name] & asked}

    def size(self, model: Model) -> ResourceProfile:
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
    known = parse_catalog(BUILT_IN)
    if place := own or os.environ.get("WINNOW_CATALOG"):
        known = known.joined(parse_catalog(Path(place)))
    check_catalog(known, Path(place or BUILT_IN))
    return known


def check_catalog(catalog: Catalog, file: Path) -> None:
    """Refuse names that are there twice, and names that nothing in the catalogue has."""
    if twice := [name for name, times in Counter(model.name for model in catalog.models).items() if times > 1]:
        raise OptionError(f"{file}: models: {twice[0]} is there twice")
    for pair in catalog.pairs:
        for name in filter(None, (pair.small, pair.large)):
            if name not in catalog.names:
                raise OptionError(f"{file}: pairs: {name}: no model of this name")
    for model in catalog.models:
        if strange := model.scores.keys() - catalog.protocols:
            raise OptionError(f"{file}: models: {model.name}: scores: {min(strange)} is not among the protocols")
        try:
            families = engine_for(model.checkpoint).families
        except CheckpointError as error:
            raise OptionError(f"{file}: models: {model.name}: checkpoint: {error}") from error
        if model.family and model.family not in families:
            raise OptionError(
                f"{file}: models: {model.name}: family: unknown family {model.family!r}: expected {', '.join(families)}"
            )


def parse_catalog(file: Path) -> Catalog:
    """The catalogue in a file; the paths of checkpoints are relative to its folder."""
    try:
        content: Any = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        found = Catalog.model_validate(content or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OptionError(f"{file}: no catalogue that can be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise OptionError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    placed = [
        model.model_copy(update={"checkpoint": absolute_checkpoint(model.checkpoint, file)}) for model in found.models
    ]
    return found.model_copy(update={"models": tuple(placed)})


def absolute_checkpoint(checkpoint: str, file: Path) -> str:
    return str((file.parent / Path(checkpoint).expanduser()).absolute()) if is_path(checkpoint) else checkpoint
