"""Decide by rules which utterances are kept, and give the reasons for all others."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.proposals import Proposal, propose
from winnow.listening.registry import measure_of
from winnow.rules.columns import RULE_COLUMNS
from winnow.rules.decisions import decide, overrule
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules, Term
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.shard_files import read_table
from winnow.schema import (
    BEFORE_FILTER,
    INPUT_TEXT,
    REVIEW,
    after_filter,
    append_columns,
    extend_schema,
    replace_column,
    roles_of,
    select_columns,
)
from winnow.text.comparison import Comparison
from winnow.text.normalize import Normalizer


def filter(
    scored: pa.Table, rules: Rules, duplicates: pa.Table | None = None, comparison: Comparison | Normalizer = "basic"
) -> pa.Table:
    """Add the selected hypothesis, the decision (keep, drop or quarantine) and every rule that a dropped row violates.

    Also add what was probably said instead of a wrong reference. `duplicates` is needed if a rule compares an utterance
    with the whole run.
    """
    if roles_of(scored.schema) == ["small"]:
        scored = select_columns(scored, with_added(BEFORE_FILTER, scored.schema))
    operands = Operands(scored, rules, duplicates)
    decisions = decide(rules, operands)
    if "review" in scored.schema.names:
        decisions = overrule(decisions, scored["review"])
    schema = after_filter(scored.schema)
    columns = {"decision": decisions.decision, "reasons": decisions.reasons}
    columns |= proposal_columns(propose(scored, operands.read, comparison))
    for name in schema.names[len(scored.schema) :]:
        if name not in columns:
            columns[name] = operands.of(Term(name), RULE_COLUMNS[name])
    return append_columns(replace_column(scored, "reason", decisions.reason), schema, columns)


def with_added(schema: pa.Schema, shard: pa.Schema) -> pa.Schema:
    """Return a schema with the columns of measures and of reviews that a shard has."""
    of_reviews = {INPUT_TEXT, *REVIEW}
    added = (field for field in shard if measure_of(field.name) or field.name in of_reviews)
    return extend_schema(schema, *((field.name, field.type) for field in added))


def proposal_columns(proposals: list[Proposal | None]) -> dict[str, pa.Array]:
    """Return the columns of proposals and their margins."""
    return {
        "proposal": pa.array([proposal and proposal.text for proposal in proposals], pa.string()),
        "proposal_margin": pa.array([proposal and proposal.margin for proposal in proposals], pa.float64()),
    }


@task(task_run_name="filter {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def filter_shard(shard: Path, rules: Rules, comparison: Comparison, duplicates: Path | None = None) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return filter(rows, rules, read_table(duplicates) if duplicates else None, comparison)

    settings = {"comparison": comparison, "version": comparison.version}
    return run_stage_on_shard(
        shard, "filter", stage, rules=rules, duplicates=duplicates and duplicates.name, **settings
    )
