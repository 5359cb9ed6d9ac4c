"""How far a model's reading is from the reference."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.ledger import advance
from tasks.metrics import differences, word_error_rate
from tasks.retry import RETRY
from tasks.schema import SCORES, Role, append, replaced, scored
from tasks.text import Normalizer, normalize, version_of


def score(shard: pa.Table, role: Role, normalizer: Normalizer) -> pa.Table:
    """Add what the reading has wrong; an utterance whose reference has no words is set aside as EMPTY_REFERENCE."""
    found: list[tuple[float | None, ...]] = []
    unknown = (None,) * len(SCORES)
    reasons = shard["reason"].to_pylist()
    pairs = zip(shard["text"].to_pylist(), shard[f"{role}_pred_text"].to_pylist(), strict=True)
    for i, (reference, hypothesis) in enumerate(pairs):
        if hypothesis is None:
            found.append(unknown)
            continue
        differing = differences(normalize(reference, normalizer), normalize(hypothesis, normalizer))
        if differing is None:
            reasons[i] = "EMPTY_REFERENCE"
            found.append(unknown)
        else:
            found.append((*differing, word_error_rate(reference, hypothesis)))
    columns = zip(*found, strict=True) if found else [()] * len(SCORES)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, SCORES.values(), strict=True)]
    return append(replaced(shard, "reason", reasons), scored(shard.schema, role), *arrays)


@task(task_run_name="score {role} pass {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def score_shard(shard: Path, role: Role, normalizer: Normalizer) -> Path:
    def stage(rows: pa.Table, **_: str) -> pa.Table:
        return score(rows, role, normalizer)

    return advance(shard, f"{role}-scored", stage, normalizer=normalizer, version=version_of(normalizer))
