"""Split utterances into parts, such as train, dev and test, so that no speaker and no sentence is in two of them.

Utterances that share a speaker or a sentence, directly or through others, are a component of a graph, and a component
is never divided.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.errors import OptionError

Codes = NDArray[np.int64]
UNKNOWN = -1


@dataclass(frozen=True)
class SplitCost:
    """What keeping utterances apart costs: how many components there are, and the share of the hours of the largest."""

    components: int
    largest_share: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def find_components(labels: Sequence[Codes], rows: int) -> NDArray[np.int32]:
    """Return the component of each row: rows that have a label in common are in the same one.

    Each of `labels` has a number for each row, equal for equal values, and -1 where the value is unknown.
    """
    from scipy.sparse import coo_array  # importing it takes half a second, and every command imports this module
    from scipy.sparse.csgraph import connected_components

    sources, targets, nodes = [], [], rows
    for codes in labels:
        known = np.flatnonzero(codes != UNKNOWN)
        values, places = np.unique(codes[known], return_inverse=True)
        sources.append(known)
        targets.append(places + nodes)
        nodes += len(values)
    edges = (np.concatenate([np.empty(0, np.int64), *sources]), np.concatenate([np.empty(0, np.int64), *targets]))
    graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(nodes, nodes))
    component: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return component[:rows]


def split(
    seconds: NDArray[np.float64], labels: Sequence[Codes], shares: dict[str, float], seed: int
) -> tuple[NDArray[np.int8], SplitCost]:
    """Return the part of each row, as its position in `shares`, and what keeping the labels apart cost.

    Components that are longer than the smallest part come first, each into the part that lacks most. All others come
    in an order by the seed, into a part with room for them that is drawn by what it lacks: the parts are alike, and
    their hours are as near to the shares as the components allow. Raises OptionError if a part gets no row.
    """
    component = find_components(labels, len(seconds))
    count = int(component.max(initial=-1)) + 1
    sizes = np.bincount(component, seconds, count)
    total = float(seconds.sum())
    missing = np.array([*shares.values()]) * total
    random = np.random.default_rng(seed)
    order = random.permutation(count)
    large = sizes[order] > missing.min()
    order = np.concatenate([order[large][np.argsort(-sizes[order[large]], kind="stable")], order[~large]])
    draws = random.random(count)
    parts = np.empty(count, np.int8)
    for place, (number, draw) in enumerate(zip(order.tolist(), draws.tolist(), strict=True)):
        size = sizes[number]
        room = np.where(missing >= size, missing, 0.0)
        if place < large.sum() or not room.any():
            part = int(missing.argmax())
        else:
            part = int(np.searchsorted(np.cumsum(room), draw * room.sum(), side="right"))
            part = min(part, int(np.flatnonzero(room)[-1]))
        parts[number] = part
        missing[part] -= size
    cost = SplitCost(count, float(sizes.max(initial=0.0)) / total if total else 0.0)
    result = parts[component] if count else np.empty(0, np.int8)
    if empty := [name for number, name in enumerate(shares) if not (result == number).any()]:
        raise OptionError(
            f"--split: nothing is left for {', '.join(empty)}: the largest of {count:,} groups of utterances that must "
            f"stay together has {cost.largest_share:.1%} of the hours: keep fewer fields --apart, or make fewer parts"
        )
    return result, cost
