"""How far a model's reading is from the reference."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.roles import Role, is_larger
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import SCORES, after_score, append_columns, replace_column, roles_of
from winnow.text.hypothesis import Hypothesis
from winnow.text.metrics import compare_texts, word_error_rate
from winnow.text.normalize import Normalizer, normalize, version_of
from winnow.text.rover import agreement_with


def score(shard: pa.Table, role: Role, normalizer: Normalizer, referenced: bool = True) -> pa.Table:
    """Add what the reading has wrong; an utterance whose reference has no words is set aside as EMPTY_REFERENCE.

    Not so where references may be missing: there it stays without scores.
    """
    found: list[tuple[float | None, ...]] = []
    unknown = (None,) * len(SCORES)
    reasons = shard["reason"].to_pylist()
    pairs = zip(shard["text"].to_pylist(), shard[f"{role}_pred_text"].to_pylist(), strict=True)
    for i, (reference, hypothesis) in enumerate(pairs):
        if hypothesis is None:
            found.append(unknown)
            continue
        reference = reference or ""
        differing = compare_texts(normalize(reference, normalizer), normalize(hypothesis, normalizer))
        if differing is None:
            reasons[i] = "EMPTY_REFERENCE" if referenced else reasons[i]
            found.append(unknown)
        else:
            found.append((*differing, word_error_rate(reference, hypothesis)))
    columns = zip(*found, strict=True) if found else [()] * len(SCORES)
    added = {
        f"{role}_{name}": pa.array(column, kind) for (name, kind), column in zip(SCORES.items(), columns, strict=True)
    }
    if is_larger(role):
        added[f"{role}_agreement"] = agreements(shard, role, normalizer)
    return append_columns(replace_column(shard, "reason", reasons), after_score(shard.schema, role), added)


def agreements(shard: pa.Table, role: Role, normalizer: Normalizer) -> pa.Array:
    """How far this model's readings are those of the models before it; null where it was not asked."""
    others = [one for one in roles_of(shard.schema) if one != role]
    texts = pa.table([shard[f"{one}_pred_text"] for one in (role, *others)], names=[role, *others]).to_pylist()
    rows = [
        [Hypothesis(text) for text in row.values() if text is not None] if row[role] is not None else []
        for row in texts
    ]
    return pa.array([agreement_with(row, normalizer) if len(row) > 1 else None for row in rows], pa.float64())


@task(task_run_name="score {role} {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def score_shard(shard: Path, role: Role, normalizer: Normalizer, referenced: bool = True) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return score(rows, role, normalizer, referenced)

    settings = {"normalizer": normalizer, "version": version_of(normalizer), "referenced": referenced}
    return run_stage_on_shard(shard, f"score-{role}", stage, **settings)
