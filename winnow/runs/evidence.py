"""What the models of a run say of its references, read from scored shards on disk."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

import pyarrow as pa

from winnow.evidence.calibration import Calibration, calibrate
from winnow.evidence.gather import ModelEvidence, evidence_columns, gather_evidence
from winnow.evidence.limits import Band
from winnow.gates.criteria import Gates
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


def escalated_band(gates: Gates) -> Band:
    """Return the doubts that the gate after the small model escalates."""
    limits = gates.limits["evidence"]
    return Band(-inf if limits.accept is None else limits.accept, inf if limits.reject is None else limits.reject)


def calibrate_shards(shards: list[Path], settings: Curation, gates: Gates | None) -> Calibration:
    """Return what planted errors tell of a run; `gates` are those after the small model, if it has a larger one."""
    evidence = {role: read_evidence(shards, role) for role in settings.roles}
    band = escalated_band(gates) if gates else None
    return calibrate(evidence, band, settings.filter.lose_share, settings.filter.max_doubt)
