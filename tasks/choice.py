"""The choice of models for a wish: a pair of the catalogue, what it takes of a device, and why, in words."""

import math
from collections.abc import Iterator

from pydantic import BaseModel

from tasks.catalog import Catalog, Model, Pair
from tasks.config import BadOption, Placement, Quality, Wish
from tasks.machine import Machine
from tasks.schema import Role
from tasks.sizes import batch, on_cpu, placement, precision, share
from tasks.spoken import match

MANY_HOURS = 1_000.0  # from here on balanced means fastest (the guide's rule)
ROOM = 0.5  # of a device's memory for the weights of both models; the rest is for batches

Models = dict[Role, Model]


class Choice(BaseModel, frozen=True):
    """The models that were chosen, what a shard of each pass takes of a device, and the reasons."""

    models: Models
    placements: dict[Role, Placement]
    reasons: list[str]
    needs: list[str]
    """What they take of a device, in words."""
    warnings: list[str]
    """What licences say that one should know before a run."""


def choose(wish: Wish, catalog: Catalog, machine: Machine, given: dict[Role, str] | None = None) -> Choice:
    """The first pair that serves the wish and has nothing against it; a model that is `given` stays in its place."""
    if not wish.languages:
        raise BadOption("wish.language: nothing says which language is spoken: give it, such as de, or de,fr")
    given = given or {}
    quality, reasons = quality_of(wish)
    if wish.domain in catalog.domains:
        reasons.append(f"{wish.domain}: {catalog.domains[wish.domain]}")
    memory = wish.memory or machine.memory
    for pair in sorted(catalog.pairs, key=lambda pair: suits(pair, wish, quality, given, catalog)):
        models = models_of(pair, given, catalog)
        if not serves(pair, models, wish, given, catalog):
            continue
        if obstacle := obstacle_to(models, wish, catalog, memory, machine):
            reasons.append(f"not {names(models)}: {obstacle}")
            continue
        if quality not in pair.qualities:
            reasons.append(f"nothing else is left that is {quality}")
        return Choice(
            models=models,
            placements={role: placement(catalog.size(model), machine) for role, model in models.items()},
            reasons=[*reasons, *words(pair, models, wish, given, catalog)],
            needs=list(needs(models, catalog, memory, machine)),
            warnings=[said for model in models.values() if (said := warning(model, catalog))],
        )
    raise BadOption(in_vain(wish, reasons))


def quality_of(wish: Wish) -> tuple[Quality, list[str]]:
    """The quality that counts, and why it is another than the wish's."""
    if wish.quality == "balanced" and wish.hours and wish.hours > MANY_HOURS:
        return "fastest", [f"{wish.hours:,.0f} h of audio are more than {MANY_HOURS:,.0f}, so speed counts: fastest"]
    return wish.quality, []


def suits(pair: Pair, wish: Wish, quality: Quality, given: dict[Role, str], catalog: Catalog) -> tuple[bool, ...]:
    """How well a pair suits, False before True: it has what is given, the quality, and is meant for the domain."""
    mine = {"small": pair.small, "large": pair.large}
    other = any((model := catalog.find(name)) and model.name != mine[role] for role, name in given.items())
    return other, quality not in pair.qualities, wish.domain not in pair.domains


def models_of(pair: Pair, given: dict[Role, str], catalog: Catalog) -> Models:
    """The models of a pair, and in their places those that are given, if the catalogue has them."""
    mine: dict[Role, str | None] = {"small": pair.small, "large": pair.large}
    found = {role: catalog.find(given.get(role) or name or "") for role, name in mine.items()}
    return {role: model for role, model in found.items() if model}


def serves(pair: Pair, models: Models, wish: Wish, given: dict[Role, str], catalog: Catalog) -> bool:
    """Whether the models read all languages, and differ, and are meant for such speech."""
    free = [model for role, model in models.items() if role not in given]
    reads = all(match(language, model.languages) for model in free for language in wish.languages)
    differ = len({model.name for model in models.values()}) == len(models)
    return bool(free) and reads and differ and (not pair.domains or wish.domain in pair.domains)


def obstacle_to(models: Models, wish: Wish, catalog: Catalog, memory: float, machine: Machine) -> str | None:
    """Why models that would serve may not be used here."""
    for model in models.values():
        licence = catalog.licence(model)
        if model.family is None:
            return f"{model.name} is not read by the engine"
        if wish.use == "commercial" and licence is None:
            return f"the licence of {model.name} is not known here (use: research takes it)"
        if wish.use == "commercial" and licence and not licence.commercial:
            return f"the licence of {model.name}, {model.licence}, {licence.words}"
    need = weights(models)
    if need > ROOM * memory:
        return f"their weights take {need:.1f} GB, more than half of the {memory:.1f} GB of {machine.device}"
    return None


def in_vain(wish: Wish, reasons: list[str]) -> str:
    several = "; or give each language its own models (--languages)" if len(wish.languages) > 1 else ""
    why = "; ".join(reasons) or "no pair of its models reads all of that"
    return f"no models in the catalogue for {', '.join(wish.languages)} ({wish.domain}, {wish.use} use): {why}{several}"


def words(pair: Pair, models: Models, wish: Wish, given: dict[Role, str], catalog: Catalog) -> Iterator[str]:
    """Why these models, and what is known of how they differ."""
    yield f"{names(models)}: {pair.why}" if not given else f"{names(models)}, of which {' and '.join(given)} was given"
    for name in given.values():
        if catalog.find(name) is None:
            yield f"{name} is not in the catalogue, so nothing is known of how it differs"
    if len(models) < 2:
        if not given:
            yield "there is no second model for it, so there is no cascade"
        return
    small, large = models["small"], models["large"]
    figures = [catalog.scores(model, wish.languages) for model in (small, large)]
    if both := [name for name in figures[0] if name in figures[1]]:
        one, other = (found[both[0]] for found in figures)
        paces = f", {one.rtfx:,.0f} and {other.rtfx:,.0f} x real time" if one.rtfx and other.rtfx else ""
        yield f"published ({both[0]}): WER {one.wer:.2%} and {other.wer:.2%}{paces}"
    if small.decodes == large.decodes:
        yield f"both decode by {small.decodes}, so they may err alike"
    else:
        yield f"they decode by {small.decodes} and by {large.decodes}, so they seldom err alike"


def needs(models: Models, catalog: Catalog, memory: float, machine: Machine) -> Iterator[str]:
    """What the models take of the device."""
    unknown = [model.name for model in models.values() if model.parameters is None]
    without = f" (without {', '.join(unknown)}, of unknown size)" if unknown else ""
    there = "" if math.isinf(memory) else f", of {memory:.1f} GB"
    yield f"weights: {weights(models):.2f} GB in fp32, as they are loaded{without}{there} ({machine.device})"
    if machine.gpu:
        for role, model in models.items():
            size = catalog.size(model)
            yield f"{role} model: {share(size, machine)}; {batch(size, memory)}"
    else:
        yield on_cpu(machine)
    yield f"precision: {precision(machine)}"


def weights(models: Models) -> float:
    return sum(model.weights_gb or 0.0 for model in models.values())


def warning(model: Model, catalog: Catalog) -> str | None:
    """What a licence says that one should know before a run."""
    licence = catalog.licence(model)
    if licence is None:
        return f"{model.name}: its licence is not known here: read its card before the data is used"
    return None if licence.permissive else f"{model.name}: its licence, {model.licence}, {licence.words}"


def names(models: Models) -> str:
    return " then ".join(model.name for model in models.values())
