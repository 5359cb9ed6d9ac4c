"""Assign each hypothesis to a band: accept it, escalate the utterance to the next model, or reject it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.gates.bands import assign_bands
from winnow.gates.criteria import Gates
from winnow.gates.sampling import is_drawn
from winnow.roles import Role, band_of
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import after_gate, append_columns, replace_column
from winnow.text.languages import match_language, row_languages


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
