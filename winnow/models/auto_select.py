"""What a run's parameters leave open becomes real checkpoints: `auto`, and names that only a catalogue has."""

import logging
from collections.abc import Iterator
from typing import Any

from winnow.corpora.registry import open_source
from winnow.corpora.source import CorpusSummary
from winnow.engines.registry import engine_for
from winnow.errors import OptionError
from winnow.hardware import ELSEWHERE, Machine, this_machine
from winnow.models.catalog import Catalog, open_catalog
from winnow.models.catalog_schema import Model
from winnow.models.explain import licence_warning
from winnow.models.selection import SelectedModels, select_models
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.placement import Placement
from winnow.parameters.selection import AUTO, Route, Selection
from winnow.roles import Role
from winnow.text.languages import match_language

log = logging.getLogger("winnow")

Routes = dict[str | None, Route]


def resolve_models(settings: Curation, machine: Machine | None = None) -> Curation:
    """The parameters with checkpoints in the place of `auto` and of the catalogue's names.

    What was chosen is logged with its reasons, and what speaks against a model is said, before anything is read.
    """
    catalog = open_catalog(settings.catalog)
    if settings.auto:
        here = settings.devices in ("inline", "local")
        settings = apply_selection(settings, catalog, machine or (this_machine() if here else ELSEWHERE))
    settings = with_routes(
        settings, {language: resolve_names(route, catalog) for language, route in settings.routes.items()}
    )
    further = [resolve_names(Route(small=name), catalog).small for name in settings.extra_models]
    settings = settings.model_copy(update={"extra_models": further})
    for model in filter(None, map(catalog.find, sorted(settings.checkpoints))):
        for words in model_warnings(model, catalog, settings.engine):
            log.warning(words)
    return settings.model_copy(update={"catalog": None})


def model_warnings(model: Model, catalog: Catalog, options: EngineOptions) -> Iterator[str]:
    """What is known to speak against a model, however it came into the run."""
    if said := licence_warning(model, catalog):
        yield said
    longest = model.max_seconds_local if options.local_attention else model.max_seconds
    if longest and options.max_seconds > longest:
        most = f"engine.max_seconds is {options.max_seconds:,.0f}"
        yield f"{model.name} reads no more than {longest:,.0f} s at once: {most}"


def apply_selection(settings: Curation, catalog: Catalog, machine: Machine) -> Curation:
    """With what was chosen in the place of `auto`, and what follows from it for the engine and the run's devices."""
    manifest = open_source(settings.manifest).summary()
    routes, changes = settings.routes, dict[str, Any]()
    for language, route in settings.routes.items():
        if AUTO not in route_models(route).values():
            continue
        selection = selection_for(language, settings, manifest)
        found = select_models(selection, catalog, machine, given_models(route), cascade=route.large is not None)
        for words in [*found.reasons, *(found.needs if settings.devices == "local" else [])]:
            log.info("chosen for %s: %s", selection.language, words)
        routes[language] = fill_route(route, found)
        if language is None:
            changes = auto_placements(settings, found) | auto_language(settings, selection, found, manifest)
    settings = with_routes(settings, routes).model_copy(update=changes | {"select": Selection()})  # which is served now
    if complaint := next(settings.complaints(), None):
        raise OptionError(f"auto found no second model; {complaint}")
    return settings


def selection_for(language: str | None, settings: Curation, manifest: CorpusSummary) -> Selection:
    """The selection for a language's own models, or for those of all others, with what the manifest states."""
    selection, others = (
        settings.select,
        [name for name in manifest.languages if not match_language(name, settings.languages)],
    )
    spoken = language or selection.language or ",".join(others or manifest.languages)
    mine = [hours for name, hours in manifest.languages.items() if language and match_language(name, [language])]
    hours = sum(mine) if language else manifest.hours
    return selection.model_copy(update={"language": spoken or None, "hours": selection.hours or hours})


def fill_route(route: Route, found: SelectedModels) -> Route:
    """The route with what was chosen in the place of `auto`; null where there is no second model."""
    open_: list[Role] = [role for role, name in route_models(route).items() if name == AUTO]
    names = {str(role): found.models[role].place if role in found.models else None for role in open_}
    return route.model_copy(update=names)


def auto_placements(settings: Curation, found: SelectedModels) -> dict[str, Any]:
    """What a shard takes of this machine's devices for the chosen models, where the user did not say."""
    if settings.devices != "local":
        return {}
    given = given_models(settings.routes[None])
    free = {f"{role}_placement": place for role, place in found.placements.items() if role not in given}
    return {name: place for name, place in free.items() if getattr(settings, name) == Placement()}


def auto_language(
    settings: Curation, selection: Selection, found: SelectedModels, manifest: CorpusSummary
) -> dict[str, Any]:
    """A model with a prompt is told the one language of the selection, unless rows say another."""
    alone = selection.languages if len(selection.languages) == 1 else ()
    tags = [
        match_language(alone[0], model.languages)
        for model in found.models.values()
        if alone and model.family and engine_for(model.checkpoint).language_prompt(model.family) == "required"
    ]
    if settings.engine.language or not tags or not all(match_language(name, alone) for name in manifest.languages):
        return {}
    return {"engine": settings.engine.model_copy(update={"language": tags[0]})}


def resolve_names(route: Route, catalog: Catalog) -> Route:
    """With what a run takes for names of the catalogue; what NeMo's own list has is its name on NGC."""
    found: dict[str, Any] = {}
    for role, name in route_models(route).items():
        model = catalog.names.get(name)
        found[role] = model.place if model and model.name == name and not model.listed else name
    return route.model_copy(update=found)


def given_models(route: Route) -> dict[Role, str]:
    return {role: name for role, name in route_models(route).items() if name != AUTO}


def route_models(route: Route) -> dict[Role, str]:
    names: dict[Role, str | None] = {"small": route.small, "large": route.large}
    return {role: name for role, name in names.items() if name}


def with_routes(settings: Curation, routes: Routes) -> Curation:
    """The parameters with these models."""
    own, languages = routes[None], {language: route for language, route in routes.items() if language}
    return settings.model_copy(update={"small": own.small, "large": own.large, "languages": languages})
