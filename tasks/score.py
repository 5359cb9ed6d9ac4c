"""How far a model's reading is from the reference."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.ledger import advance
from tasks.retry import RETRY
from tasks.schema import Role, append, replaced, scored
from tasks.text import Normalizer, normalize, word_error_rate


def score(shard: pa.Table, role: Role, normalizer: Normalizer, referenced: bool = True) -> pa.Table:
    """Add the word error rate; an utterance whose reference has no words is set aside as EMPTY_REFERENCE.

    Not so where references may be missing: there it stays without a rate.
    """
    rates: list[float | None] = []
    reasons = shard["reason"].to_pylist()
    pairs = zip(shard["text"].to_pylist(), shard[f"{role}_pred_text"].to_pylist(), strict=True)
    for i, (reference, hypothesis) in enumerate(pairs):
        if hypothesis is None:
            rates.append(None)
            continue
        rates.append(word_error_rate(normalize(reference or "", normalizer), normalize(hypothesis, normalizer)))
        if rates[-1] is None and referenced:
            reasons[i] = "EMPTY_REFERENCE"
    shard = replaced(shard, "reason", reasons)
    return append(shard, scored(shard.schema, role), pa.array(rates, pa.float64()))


@task(task_run_name="score {role} pass {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def score_shard(shard: Path, role: Role, normalizer: Normalizer, referenced: bool = True) -> Path:
    return advance(shard, f"{role}-scored", score, role=role, normalizer=normalizer, referenced=referenced)
