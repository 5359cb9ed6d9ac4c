"""Sentences about selected models: why these, what they take of the device, and what their licences say."""

import math
from collections.abc import Iterator

from winnow.models.catalog import Catalog
from winnow.models.catalog_schema import Model
from winnow.models.resource_profiles import describe_batch, describe_cpu, describe_precision, describe_share
from winnow.models.selection import FASTEST_FROM_HOURS, SelectedModels, SelectionRequest, model_names, weights_gb


def selection_reasons(selected: SelectedModels) -> list[str]:
    """Explain the selection: the request, the pairs that were rejected, and the models themselves."""
    request = selected.request
    reasons = [*request_notes(request), *selected.rejected]
    if request.quality not in selected.pair.qualities and not request.fixed:
        reasons.append(f"no other pair is {request.quality}")
    return [*reasons, *model_reasons(selected)]


def request_notes(request: SelectionRequest) -> Iterator[str]:
    """Explain what follows from the request itself."""
    selection = request.selection
    if request.quality != selection.quality:
        yield f"over {FASTEST_FROM_HOURS:,.0f} h of audio ({selection.hours:,.0f} h): fastest instead of balanced"
    if note := request.catalog.domains.get(selection.domain):
        yield f"{selection.domain}: {note}"


def model_reasons(selected: SelectedModels) -> Iterator[str]:
    """Explain why these models were selected, and how they differ."""
    request, pair, models = selected.request, selected.pair, selected.models
    names = model_names(request.selected_from(models))
    if request.fixed:
        yield f"{names}: selected to go with {' and '.join(request.fixed.values())}"
    elif pair.large and not request.cascade:
        yield f"{names} (in a cascade, before {pair.large}): {pair.why}"
    else:
        yield f"{names}: {pair.why}"
    for name in request.fixed.values():
        if request.catalog.find(name) is None:
            yield f"{name} is not in the catalogue, so how it differs is unknown"
    if len(models) == 2:
        yield from compare_models(models["small"], models["large"], request)
    elif request.cascade and not request.fixed:
        yield "no second model is known, so there is no cascade"


def compare_models(small: Model, large: Model, request: SelectionRequest) -> Iterator[str]:
    """Compare published figures by the same protocol, if there are any, and the decoders."""
    small_scores, large_scores = (
        request.catalog.scores(model, request.selection.languages) for model in (small, large)
    )
    if protocol := next((name for name in small_scores if name in large_scores), None):
        first, second = small_scores[protocol], large_scores[protocol]
        rtfx = f", RTFx {first.rtfx:,.0f} and {second.rtfx:,.0f}" if first.rtfx and second.rtfx else ""
        yield f"published ({protocol}): WER {first.wer:.2%} and {second.wer:.2%}{rtfx}"
    if small.decoder_type == large.decoder_type:
        yield f"both have {small.decoder_type} decoders, so they may make the same errors"
    else:
        decoders = f"{small.decoder_type} and {large.decoder_type}"
        yield f"their decoders differ ({decoders}), so they are less likely to make the same errors"


def resource_needs(selected: SelectedModels) -> Iterator[str]:
    """Describe what the models take of the device."""
    request, models = selected.request, selected.models
    unknown = [model.name for model in models.values() if model.parameters is None]
    without = f" (without {', '.join(unknown)}, of unknown size)" if unknown else ""
    available = "" if math.isinf(request.memory) else f", of {request.memory:.1f} GB"
    yield f"weights: {weights_gb(models):.2f} GB in fp32, as loaded{without}{available} ({request.machine.device})"
    if request.machine.gpu:
        for role, model in models.items():
            profile = request.catalog.size(model)
            yield f"{role} model: {describe_share(profile, request.machine)}; {describe_batch(profile, request.memory)}"
    else:
        yield describe_cpu(request.machine)
    yield f"precision: {describe_precision(request.machine)}"


def licence_warnings(selected: SelectedModels) -> list[str]:
    """List what users should know about the models' licences before a run."""
    catalog = selected.request.catalog
    return [warning for model in selected.models.values() if (warning := licence_warning(model, catalog))]


def licence_warning(model: Model, catalog: Catalog) -> str | None:
    """Return what users should know about a model's licence; None if it is permissive."""
    licence = catalog.licence(model)
    if licence is None:
        return f"{model.name}: its licence is unknown: read the model card before using the data"
    return None if licence.permissive else f"{model.name}: its licence, {model.licence}, {licence.terms}"
