"""Assign each hypothesis to a band: accept it, escalate the utterance to the next model, or reject it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.corpora.languages import row_languages
from winnow.gates.bands import assign_bands
from winnow.gates.criteria import Gates
from winnow.gates.sampling import is_drawn
from winnow.models.passes import rows_to_transcribe
from winnow.roles import Role, band_of, previous_role
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.storage import read_schema, read_table
from winnow.schema import after_gate, append_columns, replace_column
from winnow.text.languages import match_language

MAX_GROUP_SHARDS = 32  # shards; what is not committed before the last of them was transcribed is lost in a crash


def gate(scored: pa.Table, role: Role, gates: Gates, final_languages: Sequence[str] = ()) -> pa.Table:
    """Add the band of this model's hypothesis: accept, escalate or reject; null without a hypothesis.

    It is also null in languages without a larger model (`final_languages`), where this model's result is final. After
    the small model, `audit` marks the accepted and rejected rows that the large model transcribes as well; after
    larger ones, audited rows go no further.
    """
    judged = pc.and_(pc.is_valid(scored[f"{role}_pred_text"]), pc.is_null(scored["reason"]))
    if final_languages:
        languages = row_languages(scored["fields"].to_pylist())
        goes_on = [match_language(language, final_languages) is None for language in languages]
        judged = pc.and_(judged, pa.array(goes_on, pa.bool_()))
    band, column = pc.if_else(judged, assign_bands(scored, role, gates), None), band_of(role)
    schema = after_gate(scored.schema, role)
    if role != "small":
        return append_columns(scored, schema, {column: pc.if_else(pc.fill_null(scored["audit"], False), None, band)})
    not_escalated = pc.fill_null(pc.is_in(band, pa.array(["accept", "reject"])), False)
    if "audit" in scored.schema.names:  # the sample by which the limits were chosen is an audit as well
        audited = replace_column(scored, "audit", pc.and_(not_escalated, scored["audit"]))
        return append_columns(audited, schema, {column: band})
    audit = pc.and_(not_escalated, is_drawn(scored["id"], gates.audit))
    return append_columns(scored, schema, {column: band, "audit": audit})


@task(task_run_name="gate {role} {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def gate_shard(shard: Path, role: Role, gates: Gates, final_languages: Sequence[str] = ()) -> Path:
    settings = {"final_languages": list(final_languages)} if final_languages else {}
    return run_stage_on_shard(shard, f"gate-{role}", gate, role=role, gates=gates, **settings)


def seconds_to_transcribe(shard: Path, role: Role) -> float:
    """Return how many seconds of a gated shard this larger model has to transcribe."""
    needed = {"reason", "duration", "audit", band_of(previous_role(role))}
    rows = read_table(shard, columns=[name for name in read_schema(shard).names if name in needed])
    return float(pc.sum(rows["duration"].filter(rows_to_transcribe(rows, role)), min_count=0).as_py())


class GroupBySeconds:
    """Groups of gated shards with about this many seconds for the next model, so that its batches are full.

    Shards are grouped in the order in which they are added, so that another run makes the same groups.
    """

    def __init__(self, role: Role, seconds: float) -> None:
        self.role, self.seconds = role, seconds
        self._waiting: list[Path] = []
        self._waiting_seconds = 0.0

    def add(self, shard: Path) -> list[list[Path]]:
        """Add a shard and return the groups that are full with it."""
        self._waiting.append(shard)
        self._waiting_seconds += seconds_to_transcribe(shard, self.role)
        full = self._waiting_seconds >= self.seconds or len(self._waiting) == MAX_GROUP_SHARDS
        return self.rest() if full else []

    def rest(self) -> list[list[Path]]:
        """Return the remaining shards as a group, if there are any."""
        group, self._waiting, self._waiting_seconds = self._waiting, [], 0.0
        return [group] if group else []
