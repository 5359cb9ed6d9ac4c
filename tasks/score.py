"""Compare the hypotheses of a model with the references."""

from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.roles import Role, is_larger
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import PLANTED, PLANTED_SCORES, SCORES, after_score, append_columns, replace_column, roles_of
from winnow.text.comparison import Comparison
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import row_languages
from winnow.text.metrics import all_scores, word_error_rate
from winnow.text.normalize import Normalizer
from winnow.text.respell import normalize_pair
from winnow.text.rover import Agreement, agreement_with


def score(shard: pa.Table, role: Role, comparison: Comparison | Normalizer, referenced: bool = True) -> pa.Table:
    """Add the errors of this model's hypotheses, a column for each metric; null without a hypothesis or reference.

    If every utterance must have a reference (`referenced`), one without words is quarantined as EMPTY_REFERENCE.
    """
    scores: list[dict[str, float] | None] = []
    reasons = shard["reason"].to_pylist()
    languages = row_languages(shard["fields"].to_pylist())
    pairs = zip(shard["text"].to_pylist(), shard[f"{role}_pred_text"].to_pylist(), languages, strict=True)
    for i, (reference, hypothesis, language) in enumerate(pairs):
        row = None if hypothesis is None else all_scores(reference or "", hypothesis, comparison, language)
        if row is None and hypothesis is not None and referenced:
            reasons[i] = "EMPTY_REFERENCE"
        scores.append(row)
    added = {f"{role}_{name}": pa.array([row and row[name] for row in scores], kind) for name, kind in SCORES.items()}
    if is_larger(role):
        added |= agreements(shard, role, comparison, languages)
    if PLANTED in shard.schema.names:
        added[f"{role}_planted_wer"] = planted_wers(shard, role, comparison, languages)
    return append_columns(replace_column(shard, "reason", reasons), after_score(shard.schema, role), added)


def planted_wers(
    shard: pa.Table, role: Role, comparison: Comparison | Normalizer, languages: list[str | None]
) -> pa.Array:
    """Return the WER that the hypothesis has against each text with a planted error; null where it has none."""
    wers: list[list[float | None] | None] = []
    columns = (shard[PLANTED].to_pylist(), shard[f"{role}_pred_text"].to_pylist(), languages)
    for errors, hypothesis, language in zip(*columns, strict=True):
        if errors is None or hypothesis is None:
            wers.append(None)
            continue
        pairs = (normalize_pair(error["text"], hypothesis, comparison, language) for error in errors)
        wers.append([word_error_rate(*pair) for pair in pairs])
    return pa.array(wers, PLANTED_SCORES)


def agreements(
    shard: pa.Table, role: Role, comparison: Comparison | Normalizer, languages: list[str | None]
) -> dict[str, pa.Array]:
    """Return the mean and the lowest agreement of the models so far with this model's hypothesis; null without one."""
    roles = [role, *(other for other in roles_of(shard.schema) if other != role)]
    texts = zip(*(shard[f"{name}_pred_text"].to_pylist() for name in roles), strict=True)
    rows = [[Hypothesis(text) for text in row if text is not None] if row[0] is not None else [] for row in texts]
    agreed = [
        agreement_with(row, comparison, language) if len(row) > 1 else Agreement()
        for row, language in zip(rows, languages, strict=True)
    ]
    return {
        f"{role}_agreement": pa.array([row.mean for row in agreed], pa.float64()),
        f"{role}_lowest_agreement": pa.array([row.lowest for row in agreed], pa.float64()),
    }


@task(task_run_name="score {role} {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def score_shard(shard: Path, role: Role, comparison: Comparison, referenced: bool = True) -> Path:
    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return score(rows, role, comparison, referenced)

    settings = {"comparison": comparison, "version": comparison.version, "referenced": referenced}
    return run_stage_on_shard(shard, f"score-{role}", stage, **settings)
