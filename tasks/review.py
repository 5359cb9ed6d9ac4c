"""Review: rows get the verdicts of reviewers, and the texts that these wrote, with the scores of the new text."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.new_texts import evidence_without_models, new_scores
from winnow.runs.ledger import run_stage_on_shard
from winnow.schema import INPUT_TEXT, REVIEW, after_relabel, after_review, append_columns, replace_column
from winnow.text.comparison import Comparison
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer
from winnow.verdicts.carried import verdicts_in
from winnow.verdicts.clock import in_utc
from winnow.verdicts.keys import row_keys
from winnow.verdicts.verdict import Standing, Verdict, standing

VALUES: dict[str, Callable[[Verdict], str]] = {
    "review": lambda verdict: verdict.kind,
    "reviewer": lambda verdict: verdict.reviewer,
    "reviewed_at": lambda verdict: in_utc(verdict.at),
}
"""The columns REVIEW of a row with this verdict."""


def review(scored: pa.Table, verdicts: Mapping[str, Standing], comparison: Comparison | Normalizer) -> pa.Table:
    """Add what stands of the verdicts on each row (REVIEW), and replace the texts that were edited.

    `input_text` is what an edited text was. Quarantined rows have nothing that could be judged, and get no verdict.
    """
    decided = [
        stands.decided if reason is None and (stands := verdicts.get(key)) else None
        for key, reason in zip(row_keys(scored), scored["reason"].to_pylist(), strict=True)
    ]
    if INPUT_TEXT not in scored.schema.names:
        nulls = pa.nulls(len(scored), pa.string())
        scored = append_columns(scored, after_relabel(scored.schema), {INPUT_TEXT: nulls})
    texts = scored["text"].to_pylist()
    edits = {
        i: verdict.text
        for i, verdict in enumerate(decided)
        if verdict and verdict.text is not None and verdict.text != texts[i]
    }
    rows = edit_texts(scored, edits, comparison) if edits else scored
    columns = {name: pa.array([v and value(v) for v in decided], REVIEW[name]) for name, value in VALUES.items()}
    return append_columns(rows, after_review(rows.schema), columns)


def edit_texts(rows: pa.Table, edits: Mapping[int, str], comparison: Comparison | Normalizer) -> pa.Table:
    """Put texts in the place of the references of some rows, with their scores; `input_text` is what they were.

    It is empty where there was none.
    """
    some, texts = rows.take(pa.array(list(edits))), list(edits.values())
    languages = row_languages(some["fields"].to_pylist())
    before = pc.coalesce(some[INPUT_TEXT], some["text"], "").to_pylist()
    values = {"text": texts, INPUT_TEXT: before}
    values |= new_scores(some, texts, comparison, languages)
    values |= evidence_without_models(some, texts, comparison, languages)
    for name, changed in values.items():
        column = rows[name].to_pylist()
        for i, value in zip(edits, changed, strict=True):
            column[i] = value
        rows = replace_column(rows, name, column)
    return rows


@task(task_run_name="review {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def review_shard(shard: Path, verdicts: Path, comparison: Comparison) -> Path:
    """Apply the verdicts in a file to a scored shard."""

    def stage(rows: pa.Table, **_: object) -> pa.Table:
        return review(rows, standing(verdicts_in(verdicts)), comparison)

    settings = {"verdicts": verdicts.name, "comparison": comparison, "version": comparison.version}
    return run_stage_on_shard(shard, "review", stage, **settings)
