"""The gates between the models of a cascade: who is believed, who is read again, who is given up."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.corpora.languages import row_languages
from winnow.gates.criteria import Gates, assign_bands
from winnow.gates.sampling import is_drawn
from winnow.models.passes import rows_to_transcribe
from winnow.roles import Role, band_of, previous_role
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.storage import read_schema, read_table
from winnow.schema import after_gate, append_columns, replace_column
from winnow.text.languages import match_language

MAX_GROUP_SHARDS = 32  # shards; what is not committed before the last of them was read is lost in a crash


def gate(scored: pa.Table, role: Role, gates: Gates, alone: Sequence[str] = ()) -> pa.Table:
    """Add the band behind this model's reading: accept, escalate or reject; null where there is no reading.

    It is null too in languages that have no larger model (`alone`): there this one decides. Behind the first model,
    `audit` says which of the accepted and rejected the large one reads all the same, so that one sees what is lost.
    """
    heard = pc.and_(pc.is_valid(scored[f"{role}_pred_text"]), pc.is_null(scored["reason"]))
    if alone:
        spoken = row_languages(scored["fields"].to_pylist())
        heard = pc.and_(heard, pa.array([match_language(language, alone) is None for language in spoken], pa.bool_()))
    band = pc.if_else(heard, assign_bands(scored, role, gates), None)
    schema = after_gate(scored.schema, role)
    if role != "small":  # what is audited goes no further
        band = pc.if_else(pc.fill_null(scored["audit"], False), None, band)
        return append_columns(scored, schema, {band_of(role): band})
    elsewhere = pc.fill_null(pc.is_in(band, pa.array(["accept", "reject"])), False)
    if "audit" in scored.schema.names:  # what was sampled to find the bands is an audit as well
        scored = replace_column(scored, "audit", pc.and_(elsewhere, scored["audit"]))
        return append_columns(scored, schema, {band_of(role): band})
    audit = pc.and_(elsewhere, is_drawn(scored["id"], gates.audit))
    return append_columns(scored, schema, {band_of(role): band, "audit": audit})


def seconds_to_transcribe(shard: Path, role: Role) -> float:
    """How much audio of a gated shard this larger model is asked for."""
    wanted = {"reason", "duration", "audit", band_of(previous_role(role))}
    rows = read_table(shard, columns=[name for name in read_schema(shard).names if name in wanted])
    return float(pc.sum(rows["duration"].filter(rows_to_transcribe(rows, role)), min_count=0).as_py())


class GroupBySeconds:
    """Gated shards in groups with about so much to be read by the next model, so that its batches are full.

    In the order in which they come, so that another run makes the same groups.
    """

    def __init__(self, role: Role, seconds: float) -> None:
        self.role, self.most = role, seconds
        self._waiting: list[Path] = []
        self._seconds = 0.0

    def add(self, shard: Path) -> list[list[Path]]:
        """The groups that are full with this shard."""
        self._waiting.append(shard)
        self._seconds += seconds_to_transcribe(shard, self.role)
        return self.rest() if self._seconds >= self.most or len(self._waiting) == MAX_GROUP_SHARDS else []

    def rest(self) -> list[list[Path]]:
        group, self._waiting, self._seconds = self._waiting, [], 0.0
        return [group] if group else []


@task(task_run_name="gate {role} {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def gate_shard(shard: Path, role: Role, gates: Gates, alone: Sequence[str] = ()) -> Path:
    given = {"alone": list(alone)} if alone else {}
    return run_stage_on_shard(shard, f"gate-{role}", gate, role=role, gates=gates, **given)
