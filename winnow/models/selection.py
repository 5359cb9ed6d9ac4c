"""Model selection: the first pair of the catalogue that suits the request and has no obstacle."""

from dataclasses import dataclass

from winnow.engines.registry import engine_for
from winnow.errors import OptionError
from winnow.hardware import Machine
from winnow.models.catalog import Catalog
from winnow.models.catalog_schema import Model, ModelPair
from winnow.models.resource_profiles import placement_for
from winnow.parameters.placement import Placement
from winnow.parameters.selection import Quality, Selection
from winnow.roles import Role
from winnow.text.languages import match_language

FASTEST_FROM_HOURS = 1_000.0  # hours of audio from which on balanced means fastest (the guide's rule)
MAX_MEMORY_SHARE = 0.5  # of a device's memory, for the weights of both models; the rest is for batches

Models = dict[Role, Model]


@dataclass(frozen=True)
class SelectionRequest:
    """What models are selected for, and from. The models in `fixed`, by role, stay in their place."""

    selection: Selection
    catalog: Catalog
    machine: Machine
    fixed: dict[Role, str]
    cascade: bool

    @property
    def quality(self) -> Quality:
        """The requested quality; a large corpus makes balanced fastest."""
        large_corpus = (self.selection.hours or 0) > FASTEST_FROM_HOURS
        return "fastest" if self.selection.quality == "balanced" and large_corpus else self.selection.quality

    @property
    def memory(self) -> float:
        """The memory of the device, in GB."""
        return self.selection.memory or self.machine.memory

    def models_of(self, pair: ModelPair) -> Models:
        """Return the models of a pair, with the fixed ones in their place if the catalogue has them."""
        names: dict[Role, str | None] = {"small": pair.small, "large": pair.large if self.cascade else None}
        models = {role: self.catalog.find(self.fixed.get(role) or name or "") for role, name in names.items()}
        return {role: model for role, model in models.items() if model}

    def selected_from(self, models: Models) -> Models:
        """Return the models that are not fixed."""
        return {role: model for role, model in models.items() if role not in self.fixed}


@dataclass(frozen=True)
class SelectedModels:
    """The selected models, the pair that they come from, and what a shard of each takes of a device.

    `rejected` names better pairs and why they cannot be used.
    """

    request: SelectionRequest
    pair: ModelPair
    models: Models
    placements: dict[Role, Placement]
    rejected: list[str]


def select_models(
    selection: Selection, catalog: Catalog, machine: Machine, fixed: dict[Role, str] | None = None, cascade: bool = True
) -> SelectedModels:
    """Select the first suitable pair without an obstacle; without a cascade, only its small model.

    Raises OptionError if there is none, or the language is unknown.
    """
    if not selection.languages:
        raise OptionError(
            "select.language: the language of the corpus is unknown: set this option, e.g. to de, or de,fr"
        )
    request = SelectionRequest(selection, catalog, machine, fixed or {}, cascade)
    rejected = []
    for pair in sorted(catalog.pairs, key=lambda pair: preference(pair, request)):
        models = request.models_of(pair)
        if not is_suitable(pair, request):
            continue
        if reason := obstacle(models, request):
            rejected.append(f"not {model_names(models)}: {reason}")
            continue
        placements = {role: placement_for(catalog.size(model), machine) for role, model in models.items()}
        return SelectedModels(request, pair, models, placements, rejected)
    reasons = "; ".join(rejected) or "no pair supports all of that"
    several = "; or give each language its own models (--languages)" if len(selection.languages) > 1 else ""
    wanted = f"{', '.join(selection.languages)} ({selection.domain}, {selection.use} use)"
    raise OptionError(f"no models in the catalogue for {wanted}: {reasons}{several}")


def preference(pair: ModelPair, request: SelectionRequest) -> tuple[bool, bool]:
    """Return a sort key: pairs with the fixed models first, then those of the requested quality."""
    names = {"small": pair.small, "large": pair.large}
    fixed = {role: request.catalog.find(name) for role, name in request.fixed.items()}
    differs = any(model and model.name != names[role] for role, model in fixed.items())
    return differs, request.quality not in pair.qualities


def is_suitable(pair: ModelPair, request: SelectionRequest) -> bool:
    """Tell whether a pair's models differ, know all languages, and are meant for the domain."""
    models = request.models_of(pair)
    selected = request.selected_from(models).values()
    languages = request.selection.languages
    fluent = all(match_language(language, model.languages) for model in selected for language in languages)
    differ = len({model.name for model in models.values()}) == len(models)
    return bool(selected) and fluent and differ and (not pair.domains or request.selection.domain in pair.domains)


def obstacle(models: Models, request: SelectionRequest) -> str | None:
    """Return why suitable models cannot be used here; None if they can."""
    for model in request.selected_from(models).values():
        licence = request.catalog.licence(model)
        if model.family is None:
            return f"no engine can load {model.name}"
        if extra := engine_for(model.checkpoint).missing_extra():
            return f"{model.name} requires {extra}, which is not installed"
        if request.selection.use == "commercial" and licence is None:
            return f"the licence of {model.name} is unknown (select.use research accepts it)"
        if request.selection.use == "commercial" and licence and not licence.commercial:
            return f"the licence of {model.name}, {model.licence}, {licence.terms}"
    weights = weights_gb(models)
    if weights > MAX_MEMORY_SHARE * request.memory:
        available = f"{request.memory:.1f} GB of {request.machine.device}"
        return f"their weights take {weights:.1f} GB, more than half of the {available}"
    return None


def weights_gb(models: Models) -> float:
    return sum(model.weights_gb or 0.0 for model in models.values())


def model_names(models: Models) -> str:
    return " then ".join(model.name for model in models.values())
