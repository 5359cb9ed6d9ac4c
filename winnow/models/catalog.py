"""The catalogue of models: the built-in one (catalog.yaml), and a user's own file in the same form."""

import difflib
import os
from collections import Counter
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from winnow.engines.registry import engine_for, is_path
from winnow.errors import CheckpointError, OptionError, UnknownModel
from winnow.input_files import expand_home, not_a_file
from winnow.models.catalog_schema import GuideName, Licence, Model, ModelPair, ResourceProfile, Score, ScoreProtocol
from winnow.parameters.selection import Domain

BUILT_IN = Path(__file__).with_suffix(".yaml")


class Catalog(BaseModel, frozen=True, extra="forbid"):
    """Models, and what they are selected by."""

    protocols: dict[str, ScoreProtocol] = {}
    models: tuple[Model, ...] = ()
    pairs: tuple[ModelPair, ...] = ()
    domains: dict[Domain, str] = {}
    sizes: tuple[ResourceProfile, ...] = ()
    licences: dict[str, Licence] = {}
    guide: dict[str, GuideName] = {}

    @cached_property
    def names(self) -> dict[str, Model]:
        """The models by their own names and by their checkpoints' names."""
        return {name: model for model in self.models for name in (model.checkpoint, model.name)}

    def find(self, name: str) -> Model | None:
        """Return the model of a name, of a guide's name, or of a checkpoint with or without its pin."""
        bare = name.partition("@")[0]
        if guide_name := self.meaning(bare):
            return self.names[guide_name.means]
        return self.names.get(bare)

    def meaning(self, name: str) -> GuideName | None:
        """Return what a guide's name means; `nvidia/` may be left out unless a model has the name without it."""
        bare = name.partition("@")[0]
        return self.guide.get(bare) or (None if bare in self.names else self.guide.get(f"nvidia/{bare}"))

    def get(self, name: str) -> Model:
        """Return the model of a name; raises UnknownModel, with the nearest name, if there is none."""
        if (model := self.find(name)) is None:
            near = difflib.get_close_matches(name, [*self.names, *self.guide], n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise UnknownModel(f"{name}: not in the catalogue{hint} (winnow models lists them)")
        return model

    def licence(self, model: Model) -> Licence | None:
        return self.licences.get(model.licence or "")

    def scores(self, model: Model, languages: Iterable[str]) -> dict[str, Score]:
        """Return a model's scores by protocol, for tests in any of the languages; without languages, all of them."""
        wanted = {language.partition("-")[0] for language in languages}
        tested = {name: set(self.protocols[name].languages or model.languages) for name in model.scores}
        return {name: score for name, score in model.scores.items() if not wanted or tested[name] & wanted}

    def size(self, model: Model) -> ResourceProfile:
        """Return the size class of a model; one of unknown size counts as large."""
        parameters = model.parameters or float("inf")
        return next(size for size in self.sizes if size.parameters is None or parameters <= size.parameters)

    def extended_by(self, own: "Catalog") -> "Catalog":
        """Return this catalogue with a user's own models and pairs before its own."""
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
    """Return the built-in catalogue, extended by a user's own file: `own`, or WINNOW_CATALOG.

    Raises OptionError if the file is invalid.
    """
    catalog = built_in_catalog()
    if file := own or os.environ.get("WINNOW_CATALOG"):
        catalog = catalog.extended_by(parse_catalog(Path(file)))
    check_catalog(catalog, Path(file or BUILT_IN))
    return catalog


@cache
def built_in_catalog() -> Catalog:
    return parse_catalog(BUILT_IN)


def check_catalog(catalog: Catalog, file: Path) -> None:
    """Raise OptionError for a duplicate name, or a name or form that nothing in the catalogue or its engines has."""
    if repeated := [name for name, count in Counter(model.name for model in catalog.models).items() if count > 1]:
        raise OptionError(f"{file}: models: duplicate name {repeated[0]}")
    for pair in catalog.pairs:
        for name in filter(None, (pair.small, pair.large)):
            if name not in catalog.names:
                raise OptionError(f"{file}: pairs: unknown model {name}")
    for model in catalog.models:
        place = f"{file}: models: {model.name}"
        if unknown := model.scores.keys() - catalog.protocols:
            raise OptionError(f"{place}: scores: unknown protocol {min(unknown)}")
        try:
            families = engine_for(model.checkpoint).families
        except CheckpointError as error:
            raise OptionError(f"{place}: checkpoint: {error}") from error
        if model.family and model.family not in families:
            raise OptionError(f"{place}: family: unknown family {model.family!r}: expected {', '.join(families)}")


def parse_catalog(file: Path) -> Catalog:
    """Parse a catalogue file; paths of checkpoints are relative to its folder."""
    if problem := not_a_file(file):
        raise OptionError(f"{file}: {problem}")
    try:
        content: Any = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        catalog = Catalog.model_validate(content or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OptionError(f"{file}: not a readable catalogue: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise OptionError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    models = [
        model.model_copy(update={"checkpoint": absolute_checkpoint(model.checkpoint, file)}) for model in catalog.models
    ]
    return catalog.model_copy(update={"models": tuple(models)})


def absolute_checkpoint(checkpoint: str, file: Path) -> str:
    return str((file.parent / expand_home(checkpoint)).absolute()) if is_path(checkpoint) else checkpoint
