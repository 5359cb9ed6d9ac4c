"""The rules: which utterances are kept, and for each other one the reasons why not."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.rules.columns import RULE_COLUMNS
from winnow.rules.decisions import decide
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules, Term
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.storage import read_table
from winnow.schema import BEFORE_FILTER, after_filter, append_columns, replace_column, roles_of, select_columns


def filter(heard: pa.Table, rules: Rules, duplicates: pa.Table | None = None) -> pa.Table:
    """Add the reading that counts, and the decision with every rule that a dropped row breaks."""
    if roles_of(heard.schema) == ["small"]:
        heard = select_columns(heard, BEFORE_FILTER)
    values = Operands(heard, rules, duplicates)
    judged = decide(rules, values)
    schema = after_filter(heard.schema)
    found = {"decision": judged.decision, "reasons": judged.reasons}
    added = schema.names[len(heard.schema) :]
    columns = {name: found[name] if name in found else values.of(Term(name), RULE_COLUMNS[name]) for name in added}
    return append_columns(replace_column(heard, "reason", judged.reason), schema, columns)


@task(task_run_name="filter {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def filter_shard(shard: Path, rules: Rules, duplicates: Path | None = None) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return filter(rows, rules, read_table(duplicates) if duplicates else None)

    return run_stage_on_shard(shard, "filter", stage, rules=rules, duplicates=duplicates and duplicates.name)
