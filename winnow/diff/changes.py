"""Rows that two runs decide otherwise, and why."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel

from winnow.api.run import Run
from winnow.diff.matching import Matches
from winnow.diff.rows import DECISIONS, QUARANTINE, RunRows, texts_of

Cause = Literal["input", "reference", "hypothesis", "rules"]

CAUSES: dict[Cause, str] = {
    "input": "its audio or its line was unusable in one of the runs",
    "reference": "its reference is another",
    "hypothesis": "a model reads it otherwise",
    "rules": "the same texts are judged by other rules, limits or evidence",
}
"""Why a row is decided otherwise: the first of these that holds."""

MOST_EXAMPLES = 3  # of a kind of change


class Example(BaseModel, frozen=True):
    """A row that is decided otherwise: its lines in the two manifests, and its texts before and after."""

    lines: tuple[int, int]
    reference: tuple[str, str]
    hypothesis: tuple[str, str]


class Change(BaseModel, frozen=True):
    """Rows with the same decisions, reason and cause. The reason is that of the run that does not keep them."""

    before: str
    after: str
    reason: str
    cause: Cause
    rows: int
    hours: float
    examples: list[Example]


@dataclass
class Group:
    """Rows that are decided otherwise in the same way, with the first of them as examples."""

    rows: int = 0
    seconds: float = 0.0
    examples: list[Example] = field(default_factory=list)

    def add(self, seconds: float, example: Example) -> None:
        self.rows += 1
        self.seconds += seconds
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(example)


def find_changes(first: Run, second: Run, before: RunRows, after: RunRows, matches: Matches) -> list[Change]:
    """Group the rows that both runs have and decide otherwise, those with the most audio first."""
    changed = np.flatnonzero(before.decisions[matches.before] != after.decisions[matches.after])
    pairs = list(zip(matches.before[changed].tolist(), matches.after[changed].tolist(), strict=True))
    texts = (
        texts_of(first, {int(before.ids[i]) for i, _ in pairs}),
        texts_of(second, {int(after.ids[j]) for _, j in pairs}),
    )
    groups: dict[tuple[str, str, str, Cause], Group] = defaultdict(Group)
    for i, j in pairs:
        lines = int(before.ids[i]), int(after.ids[j])
        (old, old_read), (new, new_read) = texts[0][lines[0]], texts[1][lines[1]]
        decisions = DECISIONS[before.decisions[i]], DECISIONS[after.decisions[j]]
        reason = after.reasons[j].as_py() or before.reasons[i].as_py()
        example = Example(lines=lines, reference=(old, new), hypothesis=(old_read, new_read))
        groups[*decisions, reason, cause_of(decisions, example)].add(float(after.seconds[j]), example)
    changes = [
        Change(
            before=key[0],
            after=key[1],
            reason=key[2],
            cause=key[3],
            rows=group.rows,
            hours=group.seconds / 3600,
            examples=group.examples,
        )
        for key, group in groups.items()
    ]
    return sorted(changes, key=lambda change: (-change.hours, -change.rows, change.before, change.reason))


def cause_of(decisions: tuple[str, str], example: Example) -> Cause:
    """Return the first of CAUSES that holds for a row."""
    if QUARANTINE in decisions:
        return "input"
    if example.reference[0] != example.reference[1]:
        return "reference"
    return "hypothesis" if example.hypothesis[0] != example.hypothesis[1] else "rules"
