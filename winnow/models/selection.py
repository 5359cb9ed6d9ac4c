"""Selecting models: the first pair of the catalogue that suits the request and has no obstacle."""

from pydantic import BaseModel

from winnow.errors import OptionError
from winnow.hardware import Machine
from winnow.models.catalog import Catalog
from winnow.models.catalog_schema import ModelPair
from winnow.models.explain import (
    licence_warning,
    model_names,
    no_selection_message,
    pair_reasons,
    resource_needs,
    selection_notes,
    weights_gb,
)
from winnow.models.resource_profiles import placement_for
from winnow.models.selection_context import Models, SelectionContext
from winnow.parameters.placement import Placement
from winnow.parameters.selection import Selection
from winnow.roles import Role
from winnow.text.languages import match_language

MAX_MEMORY_SHARE = 0.5  # of a device's memory for the weights of both models; the rest is for batches


class SelectedModels(BaseModel, frozen=True):
    """The models that were chosen, what a shard of each pass takes of a device, and the reasons."""

    models: Models
    placements: dict[Role, Placement]
    reasons: list[str]
    needs: list[str]
    """What they take of a device, in words."""
    warnings: list[str]
    """What licences say that one should know before a run."""


def select_models(
    selection: Selection, catalog: Catalog, machine: Machine, given: dict[Role, str] | None = None, cascade: bool = True
) -> SelectedModels:
    """The first pair that serves the selection and has nothing against it; without a cascade only its small model.

    A model that is `given` stays in its place.
    """
    if not selection.languages:
        raise OptionError("select.language: nothing says which language is spoken: give it, such as de, or de,fr")
    case = SelectionContext(selection, catalog, machine, given or {}, cascade)
    reasons = list(selection_notes(case))
    for pair in sorted(catalog.pairs, key=lambda pair: preference(pair, case)):
        models = case.models(pair)
        if not is_suitable(pair, case):
            continue
        if objection := obstacle(models, case):
            reasons.append(f"not {model_names(models)}: {objection}")
            continue
        if case.quality not in pair.qualities and not given:
            reasons.append(f"nothing else is left that is {case.quality}")
        return SelectedModels(
            models=models,
            placements={role: placement_for(catalog.size(model), machine) for role, model in models.items()},
            reasons=[*reasons, *pair_reasons(pair, case)],
            needs=list(resource_needs(models, case)),
            warnings=[said for model in models.values() if (said := licence_warning(model, catalog))],
        )
    raise OptionError(no_selection_message(selection, reasons))


def preference(pair: ModelPair, case: SelectionContext) -> tuple[bool, ...]:
    """How well a pair suits, False before True: it has what is given, and the quality."""
    mine = {"small": pair.small, "large": pair.large}
    given = {role: case.catalog.find(name) for role, name in case.given.items()}
    other = any(model and model.name != mine[role] for role, model in given.items())
    return other, case.quality not in pair.qualities


def is_suitable(pair: ModelPair, case: SelectionContext) -> bool:
    """Whether the models read all languages, and differ, and are meant for such speech."""
    models = case.models(pair)
    free = case.free(models).values()
    reads = all(match_language(language, model.languages) for model in free for language in case.selection.languages)
    differ = len({model.name for model in models.values()}) == len(models)
    return bool(free) and reads and differ and (not pair.domains or case.selection.domain in pair.domains)


def obstacle(models: Models, case: SelectionContext) -> str | None:
    """Why models that would serve may not be used here."""
    for model in case.free(models).values():
        licence = case.catalog.licence(model)
        if model.family is None:
            return f"{model.name} is not read by the engine"
        if case.selection.use == "commercial" and licence is None:
            return f"the licence of {model.name} is not known here (use: research takes it)"
        if case.selection.use == "commercial" and licence and not licence.commercial:
            return f"the licence of {model.name}, {model.licence}, {licence.words}"
    if (need := weights_gb(models)) > MAX_MEMORY_SHARE * case.memory:
        there = f"{case.memory:.1f} GB of {case.machine.device}"
        return f"their weights take {need:.1f} GB, more than half of the {there}"
    return None
