"""The rules: which utterances are kept, and for each other one the reasons why not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.rules.evaluate import evaluate
from winnow.rules.operands import RULE_COLUMNS, Operands
from winnow.rules.rule import Rules, Term
from winnow.runs.ledger import run_stage_on_shard
from winnow.runs.storage import read_table
from winnow.schema import BEFORE_FILTER, after_filter, append_columns, replace_column, roles_of, select_columns


def filter(heard: pa.Table, rules: Rules, duplicates: pa.Table | None = None) -> pa.Table:
    """Add the reading that counts, and the decision with every rule that a dropped row breaks."""
    if roles_of(heard.schema) == ["small"]:
        heard = select_columns(heard, BEFORE_FILTER)
    values = Operands(heard, rules, duplicates)
    readable = heard["reason"].is_null().to_numpy()
    broken, names = merge_by_name(evaluate(rules, values) & readable[:, np.newaxis], rules)
    reason = pc.coalesce(heard["reason"], first_reason(broken, names))
    decision = pc.if_else(pa.array(~readable), "quarantine", pc.if_else(pc.is_valid(reason), "drop", "keep"))
    schema = after_filter(heard.schema)
    found = {"decision": decision, "reasons": reason_lists(broken, names)}
    added = schema.names[len(heard.schema) :]
    columns = [found[name] if name in found else values.of(Term(name), RULE_COLUMNS[name]) for name in added]
    return append_columns(replace_column(heard, "reason", reason), schema, *columns)


def merge_by_name(broken: NDArray[np.bool_], rules: Rules) -> tuple[NDArray[np.bool_], list[str]]:
    """By name what is broken: a rule and one for labels may have the same."""
    every = [rule.name for rule in rules.parsed]
    names = list(dict.fromkeys(every))
    found = np.zeros((len(broken), len(names)), bool)
    for column, name in enumerate(every):
        found[:, names.index(name)] |= broken[:, column]
    return found, names


def reason_lists(broken: NDArray[np.bool_], names: list[str]) -> pa.Array:
    """For each row, the names of what it breaks; null for none."""
    counts = broken.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    taken = pa.array(names, pa.string()).take(pa.array(np.nonzero(broken)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), taken, mask=pa.array(counts == 0))


def first_reason(broken: NDArray[np.bool_], names: list[str]) -> pa.Array:
    if not names:
        return pa.nulls(len(broken), pa.string())
    at = pa.array(broken.argmax(axis=1), mask=~broken.any(axis=1))
    return pa.array(names, pa.string()).take(at)


@task(task_run_name="filter {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def filter_shard(shard: Path, rules: Rules, duplicates: Path | None = None) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return filter(rows, rules, read_table(duplicates) if duplicates else None)

    return run_stage_on_shard(shard, "filter", stage, rules=rules, duplicates=duplicates and duplicates.name)
