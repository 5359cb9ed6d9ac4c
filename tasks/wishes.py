"""What a run's parameters leave open becomes real checkpoints: `auto`, and names that only a catalogue has."""

import logging
from typing import Any

from tasks.catalog import Catalog, open_catalog
from tasks.choice import choose, warning
from tasks.config import AUTO, Curation, Placement, Route, Wish
from tasks.machine import ELSEWHERE, Machine, this_machine
from tasks.schema import Role
from tasks.spoken import match, stated

log = logging.getLogger("winnow")


def settled(settings: Curation, machine: Machine | None = None) -> Curation:
    """The parameters with checkpoints in the place of `auto` and of the catalogue's names.

    What was chosen is logged with its reasons, and what a licence forbids is said, before anything is read.
    """
    catalog = open_catalog(settings.catalog)
    if settings.auto:
        here = settings.devices in ("inline", "local")
        settings = chosen(settings, catalog, machine or (this_machine() if here else ELSEWHERE))
    settings = rerouted(settings, {language: named(route, catalog) for language, route in settings.routes.items()})
    names = {name for route in settings.routes.values() for name in models_in(route).values()}
    for model in filter(None, map(catalog.find, sorted(names))):
        if (licence := catalog.licence(model)) and not licence.permissive:
            log.warning("licence of %s", warning(model, catalog))
    return settings.model_copy(update={"wish": Wish(), "catalog": None})


def chosen(settings: Curation, catalog: Catalog, machine: Machine) -> Curation:
    """With what was chosen in the place of `auto`; a shard of the run's own takes what suits it of this machine."""
    manifest = stated(settings.manifest)
    others = [name for name in manifest.languages if not match(name, settings.languages)]
    routes, places = {}, {}
    for language, route in settings.routes.items():
        asked = models_in(route)
        given = {role: name for role, name in asked.items() if name != AUTO}
        if given == asked:
            routes[language] = route
            continue
        spoken = language or settings.wish.language or ",".join(others or manifest.languages)
        hours = settings.wish.hours or (manifest.languages.get(language, 0.0) if language else manifest.hours)
        wish = settings.wish.model_copy(update={"language": spoken, "hours": hours})
        found = choose(wish, catalog, machine, given)
        for words in [*found.reasons, *(found.needs if settings.devices == "local" else [])]:
            log.info("chosen for %s: %s", spoken, words)
        names: dict[str, str | None] = {}
        for role in asked.keys() - given:
            names[role] = found.models[role].place if role in found.models else None
        routes[language] = route.model_copy(update=names)
        if language is None and settings.devices == "local":
            places = {f"{role}_on": place for role, place in found.placements.items() if role not in given}
    free = {name: place for name, place in places.items() if getattr(settings, name) == Placement()}
    return rerouted(settings, routes).model_copy(update=free)


def named(route: Route, catalog: Catalog) -> Route:
    """With what a run takes for names of the catalogue; what NeMo's own list has is its name on NGC."""
    found: dict[str, Any] = {}
    for role, name in models_in(route).items():
        model = catalog.names.get(name)
        found[role] = model.place if model and model.name == name and not model.listed else name
    return route.model_copy(update=found)


def models_in(route: Route) -> dict[Role, str]:
    names: dict[Role, str | None] = {"small": route.small, "large": route.large}
    return {role: name for role, name in names.items() if name}


def rerouted(settings: Curation, routes: dict[str | None, Route]) -> Curation:
    """The parameters with these models."""
    own = routes[None]
    languages = {language: route for language, route in routes.items() if language}
    return settings.model_copy(update={"small": own.small, "large": own.large, "languages": languages})
