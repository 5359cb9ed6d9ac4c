"""From the models in a run's parameters to checkpoints: `auto`, and names that only the catalogue has."""

import logging
from collections.abc import Iterator
from typing import Any

from winnow.corpora.registry import corpus_of
from winnow.corpora.source import CorpusSummary
from winnow.engines.registry import engine_for
from winnow.errors import OptionError
from winnow.hardware import ELSEWHERE, Machine, this_machine
from winnow.models.catalog import Catalog, open_catalog
from winnow.models.catalog_schema import Model
from winnow.models.explain import licence_warning, resource_needs, selection_reasons
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
    """Return the parameters with checkpoints in the place of `auto` and of the catalogue's names.

    Logs what was selected and why, and warnings about any of the run's models. Raises OptionError if nothing suits.
    """
    catalog = open_catalog(settings.catalog)
    if settings.auto:
        is_here = settings.devices in ("inline", "local")
        settings = apply_selection(settings, catalog, machine or (this_machine() if is_here else ELSEWHERE))
    settings = with_checkpoint_names(settings, catalog)
    for model in filter(None, map(catalog.find, sorted(settings.checkpoints))):
        for warning in model_warnings(model, catalog, settings.engine):
            log.warning(warning)
    return settings.model_copy(update={"catalog": None})


def with_checkpoint_names(settings: Curation, catalog: Catalog | None = None) -> Curation:
    """Return the parameters with the names of checkpoints in the place of the catalogue's names."""
    catalog = catalog or open_catalog(settings.catalog)
    routes = {language: resolve_names(route, catalog) for language, route in settings.routes.items()}
    extra_models = [resolve_names(Route(small=name), catalog).small for name in settings.extra_models]
    return with_routes(settings, routes).model_copy(update={"extra_models": extra_models})


def model_warnings(model: Model, catalog: Catalog, options: EngineOptions) -> Iterator[str]:
    """Yield what speaks against a model in this run."""
    if warning := licence_warning(model, catalog):
        yield warning
    limit = model.max_seconds_local if options.local_attention else model.max_seconds
    if limit and options.max_seconds > limit:
        yield f"{model.name}: transcribes at most {limit:,.0f} s, and engine.max_seconds is {options.max_seconds:,.0f}"


def apply_selection(settings: Curation, catalog: Catalog, machine: Machine) -> Curation:
    """Replace `auto` by the selected models, and set the placements and the language that follow from them."""
    manifest = corpus_of(settings).summary()
    routes, changes = settings.routes, dict[str, Any]()
    for language, route in settings.routes.items():
        if AUTO not in route_models(route).values():
            continue
        selection = selection_for(language, settings, manifest)
        selected = select_models(selection, catalog, machine, fixed_models(route), cascade=route.large is not None)
        needs = resource_needs(selected) if settings.devices == "local" else ()
        for sentence in (*selection_reasons(selected), *needs):
            log.info("selected for %s: %s", selection.language, sentence)
        routes[language] = fill_route(route, selected)
        if language is None:
            changes = auto_placements(settings, selected) | auto_language(settings, selection, selected, manifest)
    settings = with_routes(settings, routes).model_copy(update=changes | {"select": Selection()})
    if complaint := next(settings.complaints(), None):
        raise OptionError(f"auto selected no large model; {complaint}")
    return settings


def selection_for(language: str | None, settings: Curation, manifest: CorpusSummary) -> Selection:
    """Return the selection for one language, or for all languages without models of their own (None).

    The manifest fills in languages and hours.
    """
    selection = settings.select
    if language:
        hours = sum(hours for tag, hours in manifest.languages.items() if match_language(tag, [language]))
        languages = language
    else:
        hours = manifest.hours
        others = [tag for tag in manifest.languages if not match_language(tag, settings.languages)]
        languages = selection.language or ",".join(others or manifest.languages)
    return selection.model_copy(update={"language": languages or None, "hours": selection.hours or hours})


def fill_route(route: Route, selected: SelectedModels) -> Route:
    """Return the route with the selected models in the place of `auto`; None if there is no second model."""
    names = {
        str(role): selected.models[role].run_name if role in selected.models else None
        for role, name in route_models(route).items()
        if name == AUTO
    }
    return route.model_copy(update=names)


def auto_placements(settings: Curation, selected: SelectedModels) -> dict[str, Any]:
    """Return the placements of the selected models on this machine, unless the user gave them."""
    if settings.devices != "local":
        return {}
    fixed = fixed_models(settings.routes[None])
    placements = {f"{role}_placement": place for role, place in selected.placements.items() if role not in fixed}
    return {name: place for name, place in placements.items() if getattr(settings, name) == Placement()}


def auto_language(
    settings: Curation, selection: Selection, selected: SelectedModels, manifest: CorpusSummary
) -> dict[str, Any]:
    """Return the engine options with the selection's only language, if a model must be told it and no row differs."""
    if settings.engine.language or len(selection.languages) != 1:
        return {}
    tags = [
        match_language(selection.languages[0], model.languages)
        for model in selected.models.values()
        if model.family and engine_for(model.checkpoint).language_prompt(model.family) == "required"
    ]
    if not tags or not all(match_language(tag, selection.languages) for tag in manifest.languages):
        return {}
    return {"engine": settings.engine.model_copy(update={"language": tags[0]})}


def resolve_names(route: Route, catalog: Catalog) -> Route:
    """Replace names of the catalogue by checkpoints; a name in NeMo's own list is one, on NGC."""
    names: dict[str, Any] = {}
    for role, name in route_models(route).items():
        model = catalog.names.get(name)
        names[role] = model.run_name if model and model.name == name and not model.listed else name
    return route.model_copy(update=names)


def fixed_models(route: Route) -> dict[Role, str]:
    return {role: name for role, name in route_models(route).items() if name != AUTO}


def route_models(route: Route) -> dict[Role, str]:
    names: dict[Role, str | None] = {"small": route.small, "large": route.large}
    return {role: name for role, name in names.items() if name}


def with_routes(settings: Curation, routes: Routes) -> Curation:
    """Return the parameters with these models."""
    default, languages = routes[None], {language: route for language, route in routes.items() if language}
    return settings.model_copy(update={"small": default.small, "large": default.large, "languages": languages})
