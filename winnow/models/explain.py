"""Why models were chosen, what they take and what their licences say, in words."""

import math
from collections.abc import Iterator

from winnow.models.catalog import Catalog
from winnow.models.catalog_schema import Model, ModelPair
from winnow.models.resource_profiles import describe_batch, describe_cpu, describe_precision, describe_share
from winnow.models.selection_context import FASTEST_FROM_HOURS, Models, SelectionContext
from winnow.parameters.selection import Selection


def selection_notes(case: SelectionContext) -> Iterator[str]:
    """What the selection itself leads to."""
    if case.quality != case.selection.quality:
        yield f"over {FASTEST_FROM_HOURS:,.0f} h of audio ({case.selection.hours:,.0f} h): fastest instead of balanced"
    if words := case.catalog.domains.get(case.selection.domain):
        yield f"{case.selection.domain}: {words}"


def no_selection_message(selection: Selection, reasons: list[str]) -> str:
    several = "; or give each language its own models (--languages)" if len(selection.languages) > 1 else ""
    why = "; ".join(reasons) or "no pair of its models reads all of that"
    wanted = f"{', '.join(selection.languages)} ({selection.domain}, {selection.use} use)"
    return f"no models in the catalogue for {wanted}: {why}{several}"


def pair_reasons(pair: ModelPair, case: SelectionContext) -> Iterator[str]:
    """Why these models, and what is known of how they differ."""
    models, given = case.models(pair), case.given
    free = model_names(case.free(models))
    alone = f" (which goes before {pair.large}, were there a cascade)" if pair.large and not case.cascade else ""
    yield f"{free} goes with {' and '.join(given.values())}, which was given" if given else f"{free}{alone}: {pair.why}"
    for name in given.values():
        if case.catalog.find(name) is None:
            yield f"{name} is not in the catalogue, so nothing is known of how it differs"
    if len(models) == 2:
        yield from comparison(models["small"], models["large"], case)
    elif case.cascade and not given:
        yield "there is no second model for it, so there is no cascade"


def comparison(small: Model, large: Model, case: SelectionContext) -> Iterator[str]:
    """The figures of both by the same protocol, if there are any, and how they decode."""
    figures = [case.catalog.scores(model, case.selection.languages) for model in (small, large)]
    if both := [name for name in figures[0] if name in figures[1]]:
        one, other = (found[both[0]] for found in figures)
        paces = f", RTFx {one.rtfx:,.0f} and {other.rtfx:,.0f}" if one.rtfx and other.rtfx else ""
        yield f"published ({both[0]}): WER {one.wer:.2%} and {other.wer:.2%}{paces}"
    if small.decodes == large.decodes:
        yield f"both decode by {small.decodes}, so they may err alike"
    else:
        yield f"they decode by {small.decodes} and by {large.decodes}, so they are less likely to err alike"


def resource_needs(models: Models, case: SelectionContext) -> Iterator[str]:
    """What the models take of the device."""
    machine = case.machine
    unknown = [model.name for model in models.values() if model.parameters is None]
    without = f" (without {', '.join(unknown)}, of unknown size)" if unknown else ""
    there = "" if math.isinf(case.memory) else f", of {case.memory:.1f} GB"
    yield f"weights: {weights_gb(models):.2f} GB in fp32, as they are loaded{without}{there} ({machine.device})"
    if machine.gpu:
        for role, model in models.items():
            size = case.catalog.size(model)
            yield f"{role} model: {describe_share(size, machine)}; {describe_batch(size, case.memory)}"
    else:
        yield describe_cpu(machine)
    yield f"precision: {describe_precision(machine)}"


def weights_gb(models: Models) -> float:
    return sum(model.weights_gb or 0.0 for model in models.values())


def licence_warning(model: Model, catalog: Catalog) -> str | None:
    """What a licence says that one should know before a run."""
    licence = catalog.licence(model)
    if licence is None:
        return f"{model.name}: its licence is not known here: read its card before the data is used"
    return None if licence.permissive else f"{model.name}: its licence, {model.licence}, {licence.words}"


def model_names(models: Models) -> str:
    return " then ".join(model.name for model in models.values())
