"""Gather what models say of the references of a run, and of the errors that were planted into them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.evidence.mixture import Mixture, fit_mixture
from winnow.gates.sampling import Flags, Numbers
from winnow.roles import Role
from winnow.schema import PLANTED
from winnow.text.languages import row_languages

Indices = NDArray[np.int64]
Tags = NDArray[np.object_]


class PlantedEvidence(NamedTuple):
    """Planted errors of one kind: the positions of their references, the doubt of the texts with them, and the WER."""

    at: Indices
    doubt: Numbers
    wer: Numbers


@dataclass(frozen=True)
class ModelEvidence:
    """What a model says of the references that it has evidence for; every array has one entry for each of them.

    `ids` are their lines in the manifest, `languages` the tags of their languages (None where there is none), `doubt`,
    `wer` and `seconds` what is known of each. `planted` has the errors of each kind, whose positions count these
    references.
    """

    ids: Indices
    languages: Tags
    doubt: Numbers
    wer: Numbers
    seconds: Numbers
    planted: Mapping[str, PlantedEvidence]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def mixture(self) -> Mixture:
        """Which references are right and which are wrong."""
        return fit_mixture(self.doubt, {kind: (errors.at, errors.doubt) for kind, errors in self.planted.items()})

    def only(self, chosen: Flags) -> "ModelEvidence":
        """Return some of the references."""
        position = np.cumsum(chosen) - 1
        planted = {
            kind: PlantedEvidence(position[at[chosen[at]]], doubt[chosen[at]], wer[chosen[at]])
            for kind, (at, doubt, wer) in self.planted.items()
        }
        return ModelEvidence(
            self.ids[chosen],
            self.languages[chosen],
            self.doubt[chosen],
            self.wer[chosen],
            self.seconds[chosen],
            planted,
        )


def evidence_columns(role: Role) -> list[str]:
    """Name the columns of a scored shard that a model's evidence is gathered from."""
    planted = [PLANTED, f"{role}_planted_doubt", f"{role}_planted_wer"]
    return ["id", "duration", "reason", "fields", f"{role}_doubt", f"{role}_wer", *planted]


def gather_evidence(shards: Iterable[pa.Table], role: Role) -> ModelEvidence:
    """Gather what a model says of all references of a run that have evidence by it."""
    parts: list[tuple[Indices, Tags, Numbers, Numbers, Numbers]] = []
    errors: dict[str, list[tuple[int, float, float]]] = {}
    for shard in shards:
        doubt, wer, seconds = (to_floats(shard, name) for name in (f"{role}_doubt", f"{role}_wer", "duration"))
        known = ~np.isnan(doubt) & np.asarray(pc.is_null(shard["reason"]), bool)
        offset = sum(len(ids) for ids, *_ in parts)
        position = offset + np.cumsum(known) - 1
        for row, kind, planted_doubt, planted_wer in planted_rows(shard, role):
            if known[row]:
                errors.setdefault(kind, []).append((int(position[row]), planted_doubt, planted_wer))
        ids, tags = np.asarray(shard["id"]), tags_of(shard)
        parts.append((ids[known], tags[known], doubt[known], wer[known], seconds[known]))
    ids, tags, doubt, wer, seconds = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    planted = {
        kind: PlantedEvidence(*(np.array(values) for values in zip(*found, strict=True)))
        for kind, found in errors.items()
    }
    return ModelEvidence(ids, tags, doubt, wer, seconds, planted)


def planted_rows(shard: pa.Table, role: Role) -> Iterable[tuple[int, str, float, float]]:
    """Yield the row, kind, doubt and WER of each planted error that the model has evidence for."""
    scored = shard.append_column("row", pa.array(range(len(shard))))
    names = [PLANTED, f"{role}_planted_doubt", f"{role}_planted_wer"]
    if names[1] not in shard.schema.names:
        return
    scored = scored.filter(pc.is_valid(scored[names[1]]))
    wers = scored[names[2]].to_pylist() if names[2] in shard.schema.names else [None] * len(scored)
    columns = (scored["row"].to_pylist(), scored[PLANTED].to_pylist(), scored[names[1]].to_pylist(), wers)
    for row, planted, doubts, row_wers in zip(*columns, strict=True):
        for error, doubt, wer in zip(planted, doubts, row_wers or [None] * len(planted), strict=True):
            if doubt is not None:
                yield row, error["kind"], doubt, np.nan if wer is None else wer


def tags_of(shard: pa.Table) -> Tags:
    """Return the language tag of each row."""
    tags = np.full(len(shard), None, object)
    if "fields" in shard.schema.names:
        tags[:] = row_languages(shard["fields"].to_pylist())
    return tags


def to_floats(shard: pa.Table, name: str) -> Numbers:
    """Return a column as 64-bit floats, nan where it is null or the shard has none of this name."""
    if name not in shard.schema.names:
        return np.full(len(shard), np.nan)
    return np.asarray(shard[name].to_numpy(), np.float64)
