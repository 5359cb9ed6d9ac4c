"""What a run's parameters leave open becomes real checkpoints: `auto`, and names that only a catalogue has."""

import logging
from collections.abc import Iterator
from typing import Any

from tasks.manifests.spoken import Stated, match, stated
from tasks.models.catalog import Catalog, open_catalog
from tasks.models.choice import Choice, choose
from tasks.models.entries import Model
from tasks.models.machine import ELSEWHERE, Machine, this_machine
from tasks.models.reasons import warning
from tasks.parameters.curation import Curation
from tasks.parameters.options import AUTO, BadOption, Engine, Placement, Route, Wish
from tasks.schema import Role

log = logging.getLogger("winnow")

Routes = dict[str | None, Route]


def settled(settings: Curation, machine: Machine | None = None) -> Curation:
    """The parameters with checkpoints in the place of `auto` and of the catalogue's names.

    What was chosen is logged with its reasons, and what speaks against a model is said, before anything is read.
    """
    catalog = open_catalog(settings.catalog)
    if settings.auto:
        here = settings.devices in ("inline", "local")
        settings = chosen(settings, catalog, machine or (this_machine() if here else ELSEWHERE))
    settings = rerouted(settings, {language: named(route, catalog) for language, route in settings.routes.items()})
    further = [named(Route(small=name), catalog).small for name in settings.further]
    settings = settings.model_copy(update={"further": further})
    for model in filter(None, map(catalog.find, sorted(settings.checkpoints))):
        for words in cautions(model, catalog, settings.engine):
            log.warning(words)
    return settings.model_copy(update={"catalog": None})


def cautions(model: Model, catalog: Catalog, options: Engine) -> Iterator[str]:
    """What is known to speak against a model, however it came into the run."""
    if said := warning(model, catalog):
        yield said
    longest = model.max_seconds_local if options.local_attention else model.max_seconds
    if longest and options.max_seconds > longest:
        most = f"engine.max_seconds is {options.max_seconds:,.0f}"
        yield f"{model.name} reads no more than {longest:,.0f} s at once: {most}"


def chosen(settings: Curation, catalog: Catalog, machine: Machine) -> Curation:
    """With what was chosen in the place of `auto`, and what follows from it for the engine and the run's devices."""
    manifest = stated(settings.manifest)
    routes, changes = settings.routes, dict[str, Any]()
    for language, route in settings.routes.items():
        if AUTO not in models_in(route).values():
            continue
        wish = wish_for(language, settings, manifest)
        found = choose(wish, catalog, machine, given_in(route), cascade=route.large is not None)
        for words in [*found.reasons, *(found.needs if settings.devices == "local" else [])]:
            log.info("chosen for %s: %s", wish.language, words)
        routes[language] = filled(route, found)
        if language is None:
            changes = placed(settings, found) | prompted(settings, wish, found, manifest)
    settings = rerouted(settings, routes).model_copy(update=changes | {"wish": Wish()})  # which is served now
    if complaint := next(settings.complaints(), None):
        raise BadOption(f"auto found no second model; {complaint}")
    return settings


def wish_for(language: str | None, settings: Curation, manifest: Stated) -> Wish:
    """The wish for a language's own models, or for those of all others, with what the manifest states."""
    wish, others = settings.wish, [name for name in manifest.languages if not match(name, settings.languages)]
    spoken = language or wish.language or ",".join(others or manifest.languages)
    mine = [hours for name, hours in manifest.languages.items() if language and match(name, [language])]
    hours = sum(mine) if language else manifest.hours
    return wish.model_copy(update={"language": spoken or None, "hours": wish.hours or hours})


def filled(route: Route, found: Choice) -> Route:
    """The route with what was chosen in the place of `auto`; null where there is no second model."""
    open_: list[Role] = [role for role, name in models_in(route).items() if name == AUTO]
    names = {str(role): found.models[role].place if role in found.models else None for role in open_}
    return route.model_copy(update=names)


def placed(settings: Curation, found: Choice) -> dict[str, Any]:
    """What a shard takes of this machine's devices for the chosen models, where the user did not say."""
    if settings.devices != "local":
        return {}
    given = given_in(settings.routes[None])
    free = {f"{role}_on": place for role, place in found.placements.items() if role not in given}
    return {name: place for name, place in free.items() if getattr(settings, name) == Placement()}


def prompted(settings: Curation, wish: Wish, found: Choice, manifest: Stated) -> dict[str, Any]:
    """A model with a prompt is told the one language of the wish, unless rows say another."""
    alone = wish.languages if len(wish.languages) == 1 else ()
    tags = [
        match(alone[0], model.languages) for model in found.models.values() if alone and model.family == "multitask"
    ]
    if settings.engine.language or not tags or not all(match(name, alone) for name in manifest.languages):
        return {}
    return {"engine": settings.engine.model_copy(update={"language": tags[0]})}


def named(route: Route, catalog: Catalog) -> Route:
    """With what a run takes for names of the catalogue; what NeMo's own list has is its name on NGC."""
    found: dict[str, Any] = {}
    for role, name in models_in(route).items():
        model = catalog.names.get(name)
        found[role] = model.place if model and model.name == name and not model.listed else name
    return route.model_copy(update=found)


def given_in(route: Route) -> dict[Role, str]:
    return {role: name for role, name in models_in(route).items() if name != AUTO}


def models_in(route: Route) -> dict[Role, str]:
    names: dict[Role, str | None] = {"small": route.small, "large": route.large}
    return {role: name for role, name in names.items() if name}


def rerouted(settings: Curation, routes: Routes) -> Curation:
    """The parameters with these models."""
    own, languages = routes[None], {language: route for language, route in routes.items() if language}
    return settings.model_copy(update={"small": own.small, "large": own.large, "languages": languages})
