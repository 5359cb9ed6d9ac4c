"""Why models were chosen, what they take and what their licences say, in words."""

import math
from collections.abc import Iterator

from tasks.models.case import MANY_HOURS, Case, Models
from tasks.models.catalog import Catalog
from tasks.models.entries import Model, Pair
from tasks.models.sizes import batch, on_cpu, precision, share
from tasks.parameters.options import Wish


def beforehand(case: Case) -> Iterator[str]:
    """What the wish itself leads to."""
    if case.quality != case.wish.quality:
        yield f"{case.wish.hours:,.0f} h of audio are more than {MANY_HOURS:,.0f}, so speed counts: fastest"
    if words := case.catalog.domains.get(case.wish.domain):
        yield f"{case.wish.domain}: {words}"


def in_vain(wish: Wish, reasons: list[str]) -> str:
    several = "; or give each language its own models (--languages)" if len(wish.languages) > 1 else ""
    why = "; ".join(reasons) or "no pair of its models reads all of that"
    return f"no models in the catalogue for {', '.join(wish.languages)} ({wish.domain}, {wish.use} use): {why}{several}"


def words(pair: Pair, case: Case) -> Iterator[str]:
    """Why these models, and what is known of how they differ."""
    models, given = case.models(pair), case.given
    free = names(case.free(models))
    alone = f" (which goes before {pair.large}, were there a cascade)" if pair.large and not case.cascade else ""
    yield f"{free} goes with {' and '.join(given.values())}, which was given" if given else f"{free}{alone}: {pair.why}"
    for name in given.values():
        if case.catalog.find(name) is None:
            yield f"{name} is not in the catalogue, so nothing is known of how it differs"
    if len(models) == 2:
        yield from compared(models["small"], models["large"], case)
    elif case.cascade and not given:
        yield "there is no second model for it, so there is no cascade"


def compared(small: Model, large: Model, case: Case) -> Iterator[str]:
    """The figures of both by the same protocol, if there are any, and how they decode."""
    figures = [case.catalog.scores(model, case.wish.languages) for model in (small, large)]
    if both := [name for name in figures[0] if name in figures[1]]:
        one, other = (found[both[0]] for found in figures)
        paces = f", {one.rtfx:,.0f} and {other.rtfx:,.0f} x real time" if one.rtfx and other.rtfx else ""
        yield f"published ({both[0]}): WER {one.wer:.2%} and {other.wer:.2%}{paces}"
    if small.decodes == large.decodes:
        yield f"both decode by {small.decodes}, so they may err alike"
    else:
        yield f"they decode by {small.decodes} and by {large.decodes}, so they are less likely to err alike"


def needs(models: Models, case: Case) -> Iterator[str]:
    """What the models take of the device."""
    machine = case.machine
    unknown = [model.name for model in models.values() if model.parameters is None]
    without = f" (without {', '.join(unknown)}, of unknown size)" if unknown else ""
    there = "" if math.isinf(case.memory) else f", of {case.memory:.1f} GB"
    yield f"weights: {weights(models):.2f} GB in fp32, as they are loaded{without}{there} ({machine.device})"
    if machine.gpu:
        for role, model in models.items():
            size = case.catalog.size(model)
            yield f"{role} model: {share(size, machine)}; {batch(size, case.memory)}"
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
