"""The rules: which utterances are kept, and for each other one the reasons why not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.ledger import advance
from tasks.retry import RETRY
from tasks.rules import Rules, Term
from tasks.schema import BEFORE_RULES, JUDGED, append, replaced, with_columns
from tasks.storage import read_table
from tasks.values import OURS, Values
from tasks.verdicts import breaks

ADDED = ("char_rate", "word_rate", "pred_text", "wer", "cer", "confidence", "model")


def judge(heard: pa.Table, rules: Rules, repeats: pa.Table | None = None) -> pa.Table:
    """Add the reading that counts, and the decision with every rule that a dropped row breaks."""
    heard = with_columns(heard, BEFORE_RULES)
    values = Values(heard, frozenset(rules.phrases), repeats)
    readable = heard["reason"].is_null().to_numpy()
    asked = rules.parsed
    broken = np.zeros((len(heard), len(asked)), bool)
    for column, rule in enumerate(asked):
        broken[:, column] = breaks(rule, values) & readable
    reasons = listed(broken, [rule.name for rule in asked])
    reason = pc.coalesce(heard["reason"], first(broken, [rule.name for rule in asked]))
    decision = pc.if_else(pa.array(~readable), "quarantine", pc.if_else(pc.is_valid(reason), "drop", "keep"))
    added = [values.of(Term(name), OURS[name]) for name in ADDED]
    return append(replaced(heard, "reason", reason), JUDGED, *added, decision, reasons)


def listed(broken: NDArray[np.bool_], names: list[str]) -> pa.Array:
    """For each row, the names of what it breaks; null for none."""
    counts = broken.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    taken = pa.array(names, pa.string()).take(pa.array(np.nonzero(broken)[1]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), taken, mask=pa.array(counts == 0))


def first(broken: NDArray[np.bool_], names: list[str]) -> pa.Array:
    if not names:
        return pa.nulls(len(broken), pa.string())
    at = pa.array(broken.argmax(axis=1), mask=~broken.any(axis=1))
    return pa.array(names, pa.string()).take(at)


@task(task_run_name="judge {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def judge_shard(shard: Path, rules: Rules, repeats: Path | None = None) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return judge(rows, rules, read_table(repeats) if repeats else None)

    return advance(shard, "judged", stage, rules=rules, repeats=repeats and repeats.name)
