"""The choice of models for a wish: the first pair of the catalogue that serves it and that nothing speaks against."""

from pydantic import BaseModel

from tasks.manifests.spoken import match
from tasks.models.case import Case, Models
from tasks.models.catalog import Catalog
from tasks.models.entries import Pair
from tasks.models.machine import Machine
from tasks.models.reasons import beforehand, in_vain, names, needs, warning, weights, words
from tasks.models.sizes import placement
from tasks.parameters.options import BadOption, Placement, Wish
from tasks.schema import Role

ROOM = 0.5  # of a device's memory for the weights of both models; the rest is for batches


class Choice(BaseModel, frozen=True):
    """The models that were chosen, what a shard of each pass takes of a device, and the reasons."""

    models: Models
    placements: dict[Role, Placement]
    reasons: list[str]
    needs: list[str]
    """What they take of a device, in words."""
    warnings: list[str]
    """What licences say that one should know before a run."""


def choose(
    wish: Wish, catalog: Catalog, machine: Machine, given: dict[Role, str] | None = None, cascade: bool = True
) -> Choice:
    """The first pair that serves the wish and has nothing against it; without a cascade only its small model.

    A model that is `given` stays in its place.
    """
    if not wish.languages:
        raise BadOption("wish.language: nothing says which language is spoken: give it, such as de, or de,fr")
    case = Case(wish, catalog, machine, given or {}, cascade)
    reasons = list(beforehand(case))
    for pair in sorted(catalog.pairs, key=lambda pair: suits(pair, case)):
        models = case.models(pair)
        if not serves(pair, case):
            continue
        if obstacle := obstacle_to(models, case):
            reasons.append(f"not {names(models)}: {obstacle}")
            continue
        if case.quality not in pair.qualities and not given:
            reasons.append(f"nothing else is left that is {case.quality}")
        return Choice(
            models=models,
            placements={role: placement(catalog.size(model), machine) for role, model in models.items()},
            reasons=[*reasons, *words(pair, case)],
            needs=list(needs(models, case)),
            warnings=[said for model in models.values() if (said := warning(model, catalog))],
        )
    raise BadOption(in_vain(wish, reasons))


def suits(pair: Pair, case: Case) -> tuple[bool, ...]:
    """How well a pair suits, False before True: it has what is given, and the quality."""
    mine = {"small": pair.small, "large": pair.large}
    given = {role: case.catalog.find(name) for role, name in case.given.items()}
    other = any(model and model.name != mine[role] for role, model in given.items())
    return other, case.quality not in pair.qualities


def serves(pair: Pair, case: Case) -> bool:
    """Whether the models read all languages, and differ, and are meant for such speech."""
    models = case.models(pair)
    free = case.free(models).values()
    reads = all(match(language, model.languages) for model in free for language in case.wish.languages)
    differ = len({model.name for model in models.values()}) == len(models)
    return bool(free) and reads and differ and (not pair.domains or case.wish.domain in pair.domains)


def obstacle_to(models: Models, case: Case) -> str | None:
    """Why models that would serve may not be used here."""
    for model in case.free(models).values():
        licence = case.catalog.licence(model)
        if model.family is None:
            return f"{model.name} is not read by the engine"
        if case.wish.use == "commercial" and licence is None:
            return f"the licence of {model.name} is not known here (use: research takes it)"
        if case.wish.use == "commercial" and licence and not licence.commercial:
            return f"the licence of {model.name}, {model.licence}, {licence.words}"
    if (need := weights(models)) > ROOM * case.memory:
        there = f"{case.memory:.1f} GB of {case.machine.device}"
        return f"their weights take {need:.1f} GB, more than half of the {there}"
    return None
