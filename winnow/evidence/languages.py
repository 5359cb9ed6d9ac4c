"""Languages that are judged apart: by limits of doubt of their own, or by models of their own.

How much a model doubts right and wrong references differs from language to language, most of all where it knows one
hardly. Limits of its own need enough of its references and planted errors, though. Languages with fewer share theirs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from winnow.evidence.gather import ModelEvidence
from winnow.evidence.planting import ENOUGH
from winnow.roles import Role
from winnow.text.languages import match_language

OTHERS = "mul"
"""ISO 639's code for several languages: all that are not judged apart."""

Models = Mapping[Role, ModelEvidence]
Value = TypeVar("Value")


def language_group(tag: str | None, routed: Iterable[str]) -> str | None:
    """Return the language of a tag without its region, unless that has models of its own: `pt` for `pt-br`."""
    return None if tag is None else match_language(tag, routed) or tag.partition("-")[0]


def has_enough(evidence: ModelEvidence) -> bool:
    """Tell whether there are references and planted errors enough for limits."""
    planted = max((len(errors.at) for errors in evidence.planted.values()), default=0)
    return min(len(evidence), planted) >= ENOUGH


@dataclass(frozen=True)
class LanguageParts:
    """What models say of the references of a run, in parts that are judged apart.

    `parts` has each language with models of its own or with enough references, and under OTHERS the rest. Limits follow
    from the evidence of each in `own`; all others share those that follow from `shared`: the rest or, if that is too
    little beside other languages, all references.
    """

    parts: Mapping[str, Models]
    own: frozenset[str]
    shared: Models
    routed: Iterable[str]

    def with_shared(self, limits: Mapping[str | None, Value]) -> dict[str | None, Value]:
        """Add to limits by language the shared ones, under None, of languages with models of their own but few rows."""
        few = [name for name in self.parts if name not in self.own and name != OTHERS]
        return {**limits, **dict.fromkeys(few, limits[None])}

    def limits_for(self, tag: str | None) -> str | None:
        """Return the language in `own` whose limits are those of this tag; None for all others."""
        group = language_group(tag, self.routed)
        return group if group in self.own else None

    def limits_from(self) -> Iterator[tuple[str | None, Models]]:
        """Yield the evidence that the shared limits follow from, under None, and that of each language in `own`."""
        yield None, self.shared
        yield from ((name, self.parts[name]) for name in sorted(self.own))


def split_by_language(evidence: Models, routed: Mapping[str, Iterable[Role]]) -> LanguageParts:
    """Split what models say, the small one first; `routed` are languages with models of their own, and their roles."""
    small, *_ = evidence.values()
    groups = {tag: language_group(tag, routed) for model in evidence.values() for tag in set(model.languages)}
    names = {role: np.array([groups[tag] for tag in model.languages], object) for role, model in evidence.items()}
    first = next(iter(names.values()))
    found = sorted({name for name in first if name})
    own = frozenset(name for name in found if has_enough(small.only(first == name)))
    apart = [name for name in found if name in own or name in routed]

    def part(name: str) -> Models:
        roles = routed.get(name, evidence)
        return {role: evidence[role].only(names[role] == name) for role in roles if role in evidence}

    parts = {name: part(name) for name in apart}
    rest = {
        role: model.only(np.array([name not in apart for name in names[role]], bool))
        for role, model in evidence.items()
    }
    others, *_ = rest.values()
    if len(others):
        parts[OTHERS] = rest
    shared = rest if len(others) and (not own or has_enough(others)) else evidence
    return LanguageParts(parts, own, shared, routed)
