"""What the models of a run say of its references, read from scored shards on disk."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from winnow.evidence.by_language import calibrate_languages
from winnow.evidence.calibration import Calibration
from winnow.evidence.gather import ModelEvidence, evidence_columns, gather_evidence, tags_of
from winnow.evidence.limits import Band
from winnow.gates.bands import assign_bands
from winnow.gates.criteria import BY_EVIDENCE, CRITERIA, Gates
from winnow.parameters.curation import Curation
from winnow.roles import Role
from winnow.runs.shard_files import read_schema, read_table


def read_evidence(shards: list[Path], role: Role) -> ModelEvidence:
    """Return what a model says of all references in scored shards."""
    return gather_evidence(read_columns_of(shards, role), role)


def read_columns_of(shards: list[Path], role: Role) -> Iterator[pa.Table]:
    """Read the columns of each shard that hold what a model says of the references."""
    wanted = set(evidence_columns(role))
    for shard in shards:
        yield read_table(shard, columns=[name for name in read_schema(shard).names if name in wanted])


def seconds_by_wer(shards: list[Path], gates: Gates) -> dict[str | None, float]:
    """Return the seconds that the gate after the small model escalates without evidence, by the tag of the language."""
    names = ["duration", "reason", "fields", *(f"small_{CRITERIA[name].column}" for name in BY_EVIDENCE)]
    seconds: dict[str | None, float] = {}
    for shard in shards:
        for tag, spent in escalated_seconds(read_table(shard, columns=names), gates).items():
            seconds[tag] = seconds.get(tag, 0.0) + spent
    return seconds


def escalated_seconds(scored: pa.Table, gates: Gates) -> dict[str | None, float]:
    """Return the seconds of what the gate escalates of the rows without evidence, by the tag of the language."""
    rows = scored.filter(pc.and_(pc.is_null(scored["reason"]), pc.is_null(scored["small_doubt"])))
    escalated = rows.filter(pc.equal(assign_bands(rows, "small", gates.model_copy(update={"rules": ()})), "escalate"))
    seconds: dict[str | None, float] = {}
    for tag, duration in zip(tags_of(escalated), escalated["duration"].to_pylist(), strict=True):
        seconds[tag] = seconds.get(tag, 0.0) + (duration or 0.0)
    return seconds


def escalated_bands(gates: Gates) -> dict[str | None, Band]:
    """Return the doubts that the gate after the small model escalates, by language; under None in all others."""
    return {
        language: Band(
            -inf if limits.accept is None else limits.accept, inf if limits.reject is None else limits.reject
        )
        for language, limits in gates.limits_of("evidence").items()
    }


def calibrate_shards(shards: list[Path], settings: Curation, gates: Gates | None) -> Calibration:
    """Return what planted errors tell of a run; `gates` are those after the small model, if it has a larger one."""
    evidence = {role: read_evidence(shards, role) for role in settings.roles}
    bands, given = escalated_bands(gates) if gates else {}, settings.filter.max_doubt
    limits = None if given is None else dict.fromkeys(settings.roles, given)
    return calibrate_languages(evidence, bands, settings.filter.lose_share, settings.roles_by_language, limits)
