"""What models are to be chosen for, and what there is to choose from."""

from dataclasses import dataclass

from winnow.hardware import Machine
from winnow.models.catalog import Catalog
from winnow.models.catalog_schema import Model, ModelPair
from winnow.parameters.selection import Quality, Selection
from winnow.roles import Role

FASTEST_FROM_HOURS = 1_000.0  # from here on balanced means fastest (the guide's rule)

Models = dict[Role, Model]


@dataclass(frozen=True)
class SelectionContext:
    """What is wished for, which models are given already, and what there is to choose from."""

    selection: Selection
    catalog: Catalog
    machine: Machine
    given: dict[Role, str]
    cascade: bool

    @property
    def quality(self) -> Quality:
        """The wish's, unless there is so much audio that speed counts."""
        return "fastest" if self.selection.quality == "balanced" and self.many else self.selection.quality

    @property
    def many(self) -> bool:
        return (self.selection.hours or 0) > FASTEST_FROM_HOURS

    @property
    def memory(self) -> float:
        return self.selection.memory or self.machine.memory

    def models(self, pair: ModelPair) -> Models:
        """Those of a pair, and in their places those that are given, if the catalogue has them."""
        mine: dict[Role, str | None] = {"small": pair.small, "large": pair.large if self.cascade else None}
        found = {role: self.catalog.find(self.given.get(role) or name or "") for role, name in mine.items()}
        return {role: model for role, model in found.items() if model}

    def free(self, models: Models) -> Models:
        """Those that are not given."""
        return {role: model for role, model in models.items() if role not in self.given}
